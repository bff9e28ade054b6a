#pragma once

#include <functional>
#include <string>
#include <utility>

#include "actors/owned_shards.hpp"
#include "cluster/shard_gate.hpp"
#include "services/node.hpp"
#include "services/peer_calls.hpp"

namespace parley {

/// The way of a shard's calls into this node: its conversations and its routes. Tells the other
/// nodes what is served here.
///
/// Owned by the server; the gate is used by the thread of whoever keeps the shard at hand,
/// `serve_peers` once before. Invariant: calls to a shard are carried out here only between `serve`
/// and `stop_serving`.
class NodeGate final : public ShardGate {
 public:
  /// Has the journal take no commit of the shard below this epoch.
  using Fence = std::function<Status(Shard, Epoch)>;
  NodeGate(Node& node, OwnedShards& owned, Fence fence)
      : node_(node), owned_(owned), fence_(std::move(fence)) {}

  /// Takes what other nodes say that they serve, and tells each when it is linked.
  void serve_peers(PeerCalls& peers);

  /// Called for each shard that another node says is its own. Once, before links are there.
  using OwnedThere = std::function<void(Shard, const NodeName&, Epoch)>;
  void when_owned_there(OwnedThere told) { told_ = std::move(told); }

  void hold(Shard shard, std::function<void()> held) override;
  void resume(Shard shard) override;
  Status serve(Shard shard, Epoch epoch) override;
  Status stop_serving(Shard shard, const NodeName& to, Epoch epoch) override;
  void when_quiet(Shard shard, std::function<void()> quiet) override;

  /// Says something that is said again where it is lost.
  void tell(const NodeName& to, const char* method, std::string letter) const;

 private:
  void tell_owned(const NodeName& to) const;
  void on_owned(const NodeName& from, const std::string& letter) const;

  Node& node_;
  OwnedShards& owned_;
  const Fence fence_;
  OwnedThere told_;
};

}  // namespace parley
