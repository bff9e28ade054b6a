#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cluster/ownership.hpp"
#include "cluster/ring.hpp"

namespace parley {

/// What a node of a cluster has recorded of itself, in the file SHARDS of its data directory: which
/// cluster it belongs to and what it holds of each shard. A node serves a shard only if this says
/// that it owns it.
struct NodeShards {
  NodeName self;
  std::vector<NodeName> nodes;    ///< that the cluster began with, sorted
  std::vector<Holding> holdings;  ///< by the shard's number
  bool operator==(const NodeShards&) const = default;

  /// Of a cluster whose nodes start for the first time: every node works out the same. One that is
  /// not among `nodes` comes later, and owns nothing.
  static NodeShards first(const NodeName& self, std::vector<NodeName> nodes, uint32_t shard_count);
  [[nodiscard]] bool owns_any() const;
  /// Who has each shard, as far as is known here; this node only where it is recorded that it owns.
  [[nodiscard]] KnownOwners owners() const;
};

/// One line for each shard, for people too; ends with a checksum.
std::string format_shards(const NodeShards& shards);
/// DATA_LOSS, naming the file, where it cannot be read.
Result<NodeShards> parse_shards(const std::string& text, const std::string& path);

/// What nodes must agree on before they talk: the number of shards and the first list of nodes.
uint64_t layout_digest(const std::vector<NodeName>& nodes, uint32_t shard_count);

/// Nothing where the storage is no node's of a cluster.
Result<std::optional<NodeShards>> read_shards(const std::string& data_dir);
/// Durable when it returns OK; else it may be or not.
Status write_shards(const std::string& data_dir, const NodeShards& shards);
/// What a node is told of its cluster when it starts.
struct ClusterStart {
  NodeName self;
  std::vector<NodeName> nodes;                       ///< as of now
  std::optional<std::vector<NodeName>> first_nodes;  ///< that it began with, where that was said
  uint32_t shard_count = 0;
};
struct OpenedShards {
  NodeShards shards;
  bool fresh = false;  ///< the node's first start
};
/// Reads the file of `data_dir`, or writes that of a first start. FAILED_PRECONDITION where what is
/// stored belongs to another node, another cluster or no cluster, or comes from a backup.
Result<OpenedShards> open_shards(const std::string& data_dir, ClusterStart start);
/// For a node that is to be alone: FAILED_PRECONDITION where it belongs to a cluster.
Status check_alone(const std::string& data_dir);

}  // namespace parley
