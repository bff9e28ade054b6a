#pragma once

#include <functional>
#include <string>
#include <utility>

#include "cluster/shard_file.hpp"
#include "cluster/shard_host.hpp"
#include "services/node_gate.hpp"
#include "storage/local_journal.hpp"

namespace parley {

/// What a keeper of shards does to this node: its file, its store, and the way of calls into it.
///
/// Owned by the server; used by the keeper's thread. Invariant: a shard is recorded as this node's
/// before calls to it are carried out here, and they are carried out no more when it is recorded as
/// given.
class HostedShards final : public ShardHost {
 public:
  static constexpr const char* k_letter = "ShardLetter";

  /// `shards`: as the file says.
  HostedShards(Node& node, LocalJournal& store, NodeGate& gate, NodeShards shards)
      : node_(node), store_(store), gate_(gate), shards_(std::move(shards)) {}

  Status record(Shard shard, const Holding& holding) override;
  Result<Holding> recorded(Shard shard) override;
  Status erase(Shard shard) override { return store_.erase_shard(shard); }
  Status take(Shard shard, const std::string& rows) override {
    return store_.take_rows(shard, rows);
  }
  Status flush() override { return store_.flush(); }
  std::unique_ptr<ShardCopy> copy(Shard shard) override { return store_.copy_shard(shard); }
  Status settle() override { return store_.settle(); }
  void hold(Shard shard, std::function<void()> held) override {
    gate_.hold(shard, std::move(held));
  }
  void put_idle_away(Shard shard) override {
    node_.registry.put_idle_away(shard);
    // What fails here fails when calls are held, and is told then.
    store_.settle().IgnoreError();
  }
  void resume(Shard shard) override { gate_.resume(shard); }
  Status serve(Shard shard, Epoch epoch) override;
  Status stop_serving(Shard shard, const NodeName& to, Epoch epoch) override {
    return gate_.stop_serving(shard, to, epoch);
  }
  void when_quiet(Shard shard, std::function<void()> quiet) override {
    gate_.when_quiet(shard, std::move(quiet));
  }
  [[nodiscard]] bool reaches(const NodeName& node) const override {
    return node_.router->session(node) != 0;
  }
  void send(const NodeName& to, std::string message) override {
    gate_.tell(to, k_letter, std::move(message));
  }

 private:
  Node& node_;
  LocalJournal& store_;
  NodeGate& gate_;
  NodeShards shards_;
  bool known_ = true;  ///< `shards_` is what the file says
};

}  // namespace parley
