#pragma once

#include <atomic>
#include <functional>
#include <string>

#include <caf/actor_system.hpp>

#include "actors/registry.hpp"
#include "cluster/router.hpp"
#include "services/config.hpp"
#include "services/error_table.hpp"
#include "services/traffic.hpp"
#include "services/unary_call.hpp"
#include "storage/local_journal.hpp"

namespace parley {

class RemoteReads;
class ShardKeeper;
class ShardsView;
class RemoteWatches;

/// Everything that a call's handler stands on. Owned by the server, shared by all its threads: each
/// part says itself which threads it may be used on.
class Node {
 public:
  Node(const Config& its_config, caf::actor_system& its_system, Environment& its_environment,
       Registry& its_registry, Journal& its_store)
      : config(its_config),
        system(its_system),
        environment(its_environment),
        registry(its_registry),
        store(its_store) {}

  const Config& config;
  caf::actor_system& system;
  Environment& environment;
  Registry& registry;
  Journal& store;
  LocalJournal* local = nullptr;  ///< the same, where it is this machine's; null where it is shared
  Router* router = nullptr;       ///< null where this node is alone, as the next
  RemoteWatches* remote_watches = nullptr;
  RemoteReads* remote_reads = nullptr;
  const ShardsView* shards = nullptr;
  ShardKeeper* keeper = nullptr;  ///< the same, where shards are moved by wish

  Traffic traffic;
  std::atomic<int64_t> watch_streams{0};
  std::atomic<int64_t> appended_messages{0};
  std::atomic<int64_t> replayed_calls{0};
  WallTime start_time;
  std::string address_text;
  std::string store_id;

  [[nodiscard]] Address address(const std::string& tenant, const std::string& thread) const {
    return Address::of({tenant, thread}, environment.shard_count);
  }

  /// The node that owns the conversation's shard, where that is another one; else null.
  [[nodiscard]] const NodeName* elsewhere(const Address& whose) const {
    return router == nullptr ? nullptr : router->elsewhere(whose.shard);
  }

  /// The journal has every conversation, whoever owns its shard.
  [[nodiscard]] bool stores_all() const { return router == nullptr || shares_journal(); }
  /// Other nodes use the same journal: what one of them owned another one takes over.
  [[nodiscard]] bool shares_journal() const { return local == nullptr; }
  [[nodiscard]] bool disk_full() const { return local != nullptr && local->disk_full(); }

  /// What whoever takes this node for the owner is told: who is, as far as is known here.
  [[nodiscard]] ApiError not_owner(Shard shard) const;
  /// What another node's NOT_OWNER says.
  void learn(const ApiError& error);

  /// What a caller is told of a failure; a write that was refused for want of disk space says so.
  [[nodiscard]] ApiError explain(Failure failure, const ConversationKey& key) const;
  /// The same for what the store said; of a shard that passed on meanwhile NOT_OWNER.
  [[nodiscard]] ApiError explain(const Status& status, const ConversationKey& key) const;

  /// Counts an answer that repeats an earlier one, and has it say so.
  void note_replay(Reply& reply, bool replayed);

  /// Runs what may block, on a thread of CAF's scheduler.
  void blocking(std::function<void()> job);
  /// Runs what takes long (seconds and more) on a thread of its own.
  void in_background(std::function<void()> job);
};

}  // namespace parley
