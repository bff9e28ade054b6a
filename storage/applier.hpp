#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "storage/codec.hpp"
#include "storage/codec_rows.hpp"
#include "storage/forgetting.hpp"
#include "storage/heads.hpp"
#include "storage/round.hpp"

namespace parley {

/// What became durable together, in the order of the log.
struct AppliedGroup {
  log::Mark mark;
  std::vector<std::shared_ptr<Pending>> commits;
  std::vector<EpochRaised> raised;
  size_t payload_bytes = 0;  ///< in the log
  size_t memory_bytes = 0;   ///< that the commits hold, roughly
};

struct ApplierOptions {
  size_t waiting_memory_max = 64U << 20;  ///< the log's thread waits beyond that
  /// A round begins, and ends, at whichever comes first. Why so much: rows of indexes and heads are
  /// written once a round, however often they changed.
  size_t round_memory = 24U << 20;
  size_t round_payload = 8U << 20;
  std::chrono::milliseconds gather{400};
};

struct ApplierStats {
  uint64_t rounds = 0;
  uint64_t waiting_bytes = 0;  ///< as in the log
  uint64_t write_failures = 0;
  log::Mark applied;
};

/// Carries what is durable in the log over into the store, in the background.
///
/// Owned by a local journal; has one thread, the only one that writes conversations to the store.
/// Any thread may call. Invariants: groups are applied in the order given, each whole; a reader
/// that waits sees everything that was given before it asked. Not its job: flushing what it wrote.
class Applier {
 public:
  /// What the rest of the journal says to its rounds, on the applier's thread.
  struct Surroundings {
    std::function<bool()> may_apply;               ///< false: not now, ask again
    std::function<void(bool erased)> after_round;  ///< it counts as applied; content was erased
    /// The shard is another node's: what is here of it is on its way in or out. Empty: none is.
    std::function<bool(Shard)> elsewhere = {};
  };
  Applier(const RocksStore& store, Heads& heads, Damage& damage, log::Mark applied,
          ApplierOptions options, Surroundings surroundings);
  ~Applier();

  /// In the order of the log, by the log's thread. Waits where too much waits already.
  void add(AppliedGroup group);
  /// `add` does not wait any more: the log is about to stop, whether the store takes writes or not.
  void lift_bound();
  /// May be forgotten.
  void add_snapshot(ConversationKey key, uint64_t key_hash, Shard shard,
                    std::shared_ptr<const State> state);
  /// Forgets what is left of deleted conversations where no retry needs it any more: `passed` is
  /// how long the store was in use since the last time.
  void add_purge(std::chrono::microseconds passed);
  /// Changes rows of a shard that nobody here commits to, behind everything given so far, and waits
  /// until it is done. UNAVAILABLE where it was not done in time: it may be yet, before whatever is
  /// asked later.
  Status change_rows(RowChanges changes);

  /// Until everything given so far about these (hashes of keys, Heads::history_key) is in the
  /// store.
  Status wait_for(std::span<const uint64_t> hashes);
  Status wait_for_all();

  [[nodiscard]] log::Mark applied() const;
  [[nodiscard]] ApplierStats stats() const;
  /// With everything applied that was given, or (a crash) without.
  void stop(bool apply_rest);

 private:
  struct KeptState {
    ConversationKey key;
    uint64_t key_hash;
    Shard shard;
    std::shared_ptr<const State> state;
  };
  struct Purge {
    std::chrono::microseconds passed;
  };
  struct Changes {
    RowChanges rows;
    std::shared_ptr<Status> outcome;  ///< set before it counts as applied
  };
  struct Item {
    uint64_t ticket;
    std::variant<AppliedGroup, KeptState, Purge, Changes> work;
    size_t memory;
  };

  void run();
  [[nodiscard]] bool is_round() const;
  [[nodiscard]] bool due() const;
  std::deque<Item> take(std::unique_lock<std::mutex>& lock);
  bool apply(std::deque<Item>& items);
  Status apply_once(std::deque<Item>& items, bool* erased);
  Status write(const RowChanges& changes, bool* erased);
  void forget_pending(const std::deque<Item>& items);
  void enqueue(Item item, std::unique_lock<std::mutex>& lock);
  Status wait_until_applied(uint64_t ticket, std::unique_lock<std::mutex>& lock);

  const RocksStore& store_;
  Damage& damage_;
  const ApplierOptions options_;
  const Surroundings surroundings_;
  HeadCache cache_;  ///< of the applier's thread, as the next
  Forgetting forgetting_;

  mutable std::mutex mutex_;  ///< guards all below
  std::condition_variable arrived_;
  std::condition_variable applied_changed_;
  std::deque<Item> queue_;
  size_t queued_memory_ = 0;  ///< also of what is being applied
  std::chrono::steady_clock::time_point oldest_;
  absl::flat_hash_map<uint64_t, uint64_t> pending_;   ///< hash -> last ticket that concerns it
  absl::flat_hash_map<uint64_t, uint64_t> applying_;  ///< the same, of before the last take()
  uint64_t last_ticket_ = 0;
  uint64_t applied_ticket_ = 0;
  uint64_t wanted_ticket_ = 0;
  ApplierStats stats_;
  bool bounded_ = true;
  bool stopping_ = false;
  bool abandoned_ = false;
  std::thread thread_;
};

}  // namespace parley
