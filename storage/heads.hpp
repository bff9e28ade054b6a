#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"

#include "base/fifo.hpp"
#include "storage/codec.hpp"
#include "storage/effects.hpp"
#include "storage/journal.hpp"

namespace parley {

struct ActiveHead;

/// What is on its way through the log to the store, a commit as a rule, and who is told. Not
/// changed once it is in the log.
struct Pending {
  Pending() = default;
  Pending(Commit what, CommitWaiter* told_then) : commit(std::move(what)), waiter(told_then) {}

  Commit commit;
  ActiveHead* head = nullptr;  ///< of its conversation, while it is in the log's hands
  CommitWaiter* waiter = nullptr;
  /// Whose messages it adds or drops: Heads::history_key.
  absl::InlinedVector<uint64_t, 2> histories;
  Id128 history_after;  ///< where the next messages go
  size_t bytes = 0;     ///< of memory that it holds, roughly
  /// Set for what did not come through Heads: told instead of the waiter.
  std::unique_ptr<std::promise<WriteOutcome>> told;
  std::optional<EpochRaised> raised;  ///< set: not a commit, but the raise of an epoch
};

/// Where a conversation stands. Guarded by its stripe's lock; there from the first load until
/// nobody has it loaded and nothing is in flight.
struct ActiveHead {
  Version version;
  Id128 history;
  uint64_t changes = 0;  ///< counts outcomes, so that a load notices one that came between
  uint32_t loads = 0;
  uint32_t loading = 0;
  bool in_flight = false;
  Fifo<std::shared_ptr<Pending>> waiting;
};

/// Which conversations are active here and at which version: decides which commits go into the log,
/// and in which order. At most one commit of a conversation is in the log's hands, so that one that
/// fails leaves no gap.
///
/// Owned by a local journal. Any thread; locked by stripes of shards.
/// Invariants: I3 (a commit follows on the one before), I7 (none below the shard's epoch enters the
/// log after the raise did). Not its job: encoding, the log, what is stored.
class Heads {
 public:
  /// Hands a commit to the log; called with the stripe locked, so it must not call back.
  using Submit = std::function<void(std::shared_ptr<Pending>)>;

  Heads(uint32_t shard_count, Submit submit);

  /// An activation begins: `read` is called, without locks, until no commit came between. Counts as
  /// loaded from before the first read.
  Result<State> load(const ConversationKey& key, Shard shard,
                     const std::function<Result<State>()>& read);
  void release(const ConversationKey& key, Shard shard);
  /// Runs `act` with nobody able to load meanwhile; does nothing where it is loaded.
  bool if_not_loaded(const ConversationKey& key, Shard shard, const std::function<void()>& act);

  /// Submits it, lets it wait for the one before, or says at once what became of it.
  std::optional<WriteOutcome> admit(std::shared_ptr<Pending>& pending);
  /// The log is done with a commit. Hands over the one that waits; those refused now come back.
  struct Refused {
    CommitWaiter* waiter;
    WriteOutcome outcome;
  };
  void settle(const Pending& pending, WriteOutcome outcome, std::vector<Refused>& refused);

  /// Raises, never lowers, and calls `submit` with what holds now, with the stripe locked. Calls
  /// nothing once closed.
  void raise(Shard shard, Epoch epoch, const std::function<void(Epoch)>& submit);
  void restore_epoch(Shard shard, Epoch epoch);
  [[nodiscard]] Epoch epoch(Shard shard) const;

  /// Nothing enters the log any more once this has returned.
  void close();
  [[nodiscard]] size_t size() const;
  [[nodiscard]] uint32_t shard_count() const { return static_cast<uint32_t>(epochs_.size()); }

  static uint64_t history_key(const Id128& history);

 private:
  struct Stripe {
    mutable std::mutex mutex;
    std::condition_variable settled;
    absl::flat_hash_map<ConversationKey, std::unique_ptr<ActiveHead>> entries;
  };
  static constexpr size_t k_stripes = 64;

  Stripe& stripe(Shard shard) const { return stripes_[shard.value % k_stripes]; }
  std::optional<WriteOutcome> hand_over(ActiveHead& head, std::shared_ptr<Pending>& pending);
  static void forget_if_idle(Stripe& stripe, const ConversationKey& key);

  const Submit submit_;
  mutable std::array<Stripe, k_stripes> stripes_;
  std::vector<std::atomic<uint64_t>> epochs_;
  std::atomic<bool> closed_{false};
};

}  // namespace parley
