#pragma once

#include <functional>
#include <string>

#include "actors/owned_shards.hpp"
#include "cluster/shard_file.hpp"
#include "cluster/shard_host.hpp"
#include "services/node.hpp"

namespace parley {

/// What a keeper of shards does to this node: its file, its store, its conversations, its routes.
///
/// Owned by the server; used by the keeper's thread. Invariant: a shard is recorded as this node's
/// before calls to it are carried out here, and they are carried out no more when it is recorded as
/// given.
class HostedShards final : public ShardHost {
 public:
  static constexpr const char* k_letter = "ShardLetter";

  /// `shards`: as the file says.
  HostedShards(Node& node, OwnedShards& owned, NodeShards shards)
      : node_(node), owned_(owned), shards_(std::move(shards)) {}

  Status record(Shard shard, const Holding& holding) override;
  Result<Holding> recorded(Shard shard) override;
  Status erase(Shard shard) override { return node_.store.erase_shard(shard); }
  Status take(Shard shard, const std::string& rows) override {
    return node_.store.take_rows(shard, rows);
  }
  Status flush() override { return node_.store.flush(); }
  std::unique_ptr<ShardCopy> copy(Shard shard) override { return node_.store.copy_shard(shard); }
  void hold(Shard shard, std::function<void()> held) override;
  Status settle() override { return node_.store.settle(); }
  void resume(Shard shard) override;
  Status serve(Shard shard, Epoch epoch) override;
  Status stop_serving(Shard shard, const NodeName& to, Epoch epoch) override;
  [[nodiscard]] bool reaches(const NodeName& node) const override {
    return node_.router->session(node) != 0;
  }
  void send(const NodeName& to, std::string message) override;

 private:
  Status raise(Shard shard, Epoch epoch);

  Node& node_;
  OwnedShards& owned_;
  NodeShards shards_;
  bool known_ = true;  ///< `shards_` is what the file says
};

}  // namespace parley
