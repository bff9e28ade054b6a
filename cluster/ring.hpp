#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"

/// Which node is to have which shard. Pure: the same arguments give the same answer on every node
/// and in every release (the values of `affinity` are part of what nodes of two releases share).
namespace parley {

/// A node's name in its cluster, for ever the same: a pod's name. Empty: nobody.
struct NodeName {
  std::string value;
  auto operator<=>(const NodeName&) const = default;
};

/// For people, and for what is derived from them.
std::string names_of(const std::vector<NodeName>& nodes, std::string_view separator);

/// The node of each shard, by the shard's number.
using Layout = std::vector<NodeName>;

/// How much a node attracts a shard: uniformly distributed, independent for each pair.
uint64_t affinity(Shard shard, const NodeName& node);

/// Where the shards of `now` are to lie, once `nodes` are all there is.
///
/// No node has more than one shard more than another, and no more shards move than that takes: a
/// node that goes gives away only its own, a node that comes takes its share and nobody else gains.
/// Among the layouts that are left, shards go where they are attracted most (rendezvous hashing).
/// `nodes` in any order, without repetition, not empty; a shard whose node in `now` is not among
/// them (or nobody) is placed anew. A first layout is that of a `now` full of nobody.
Layout place(const Layout& now, std::vector<NodeName> nodes);

struct ShardMove {
  Shard shard;
  NodeName from;
  NodeName to;
  auto operator<=>(const ShardMove&) const = default;
};
/// What differs, by the shard's number. Both layouts have as many shards.
std::vector<ShardMove> moves_between(const Layout& now, const Layout& wanted);

}  // namespace parley
