#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include <caf/actor_system.hpp>

#include "actors/conversation_actor.hpp"

namespace parley {

class InlineUnit;

struct RegistryOptions {
  int64_t bytes_max = 128LL << 20;        ///< estimated memory of live conversations
  int64_t idle_micros_max = 300'000'000;  ///< after which one is put away
};

struct RegistryStats {
  int64_t live = 0;
  int64_t bytes = 0;
  int64_t activations = 0;
  int64_t passivations = 0;
};

/// The node's live conversations: begins an activation when a call comes, ends it when it is idle
/// or the memory budget is reached, least recently used first.
///
/// Owned by the server; outlives all actors. Any thread. A plain class with striped locks and not
/// an actor: a look-up is on the path of every call (docs/decisions/0002). Invariants: at most one
/// activation of a conversation at a time (I12); a call reaches an actor only while that is not
/// ending, else it waits for the next activation; memory does not grow with what is stored. Not its
/// job: ownership of shards, answering.
class Registry final : public ActivationKeeper {
 public:
  Registry(caf::actor_system& system, Environment& environment, RegistryOptions options);
  ~Registry() override;

  /// Hands a call to its conversation and runs that on this thread if it is awake; one to a shard
  /// that is not owned here is answered so, one to a shard that is held waits. Never blocks.
  void dispatch(Call* call);
  /// A conversation takes up what it left unfinished, also where it is not live yet.
  void wake(const Address& address);
  /// The watcher has gone; nothing happens if the conversation is not live.
  void unfollow(const Address& address, uint64_t watcher);

  /// Ends the shard's live conversations, once it is not `served` any more (OwnedShards). `ended`
  /// is called, on any thread, when none is left and nothing of theirs is on its way to the
  /// journal.
  void put_away(Shard shard, std::function<void()> ended);
  /// Hands on the calls that were held, once the shard is not `held` any more.
  void resume(Shard shard);

  /// Puts away what has been idle for too long. To be called every second or so.
  void sweep();
  /// Puts away what of this shard is not in use just now, as far as is known.
  void put_idle_away(Shard shard);
  /// Puts everything away, with snapshots. Calls that still come are refused. `all_retired` tells
  /// the end.
  void retire_all();
  [[nodiscard]] bool all_retired() const { return live_ == 0; }

  [[nodiscard]] bool is_live(const Address& address) const;
  [[nodiscard]] RegistryStats stats() const;

  void abandoned(const Address& address) override;
  void retired(const Address& address) override;
  void release_wanted(const Address& child, const ParentLink& link) override;

 private:
  struct Entry {
    caf::actor actor;
    std::shared_ptr<Vitals> vitals;
    Address address;
    SteadyTime last_used;  ///< to within `touch_micros_`
    /// Told to end: calls wait here for the next activation.
    bool ending = false;
    std::vector<Call*> waiting;
    std::list<Entry*>::iterator place;  ///< in `recently_used`, unless ending
    /// Each says that the shard's conversations are put away, with the last of them that has it.
    std::vector<std::shared_ptr<void>> last;
  };

  enum class Admission : uint8_t { taken, stopping, not_owner };
  struct TurnedAway {
    Call* call;
    Admission why;
  };

  struct Stripe {
    mutable absl::Mutex mutex;
    absl::flat_hash_map<ConversationKey, std::unique_ptr<Entry>> entries ABSL_GUARDED_BY(mutex);
    std::list<Entry*> recently_used ABSL_GUARDED_BY(mutex);  ///< newest first
    std::vector<Call*> held ABSL_GUARDED_BY(mutex);          ///< of shards that pass on
  };

  static constexpr size_t k_stripes = 64;

  Stripe& stripe_of(const Address& address) { return stripes_[address.hash % k_stripes]; }
  [[nodiscard]] const Stripe& stripe_of(const Address& address) const {
    return stripes_[address.hash % k_stripes];
  }
  /// Puts a call where it will be answered, unless it may not begin here.
  Admission admit(Stripe& stripe, Call* call, InlineUnit& unit)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  /// Admits calls in their order; those that come back are to be turned away, without the lock.
  std::vector<TurnedAway> admit_all(Stripe& stripe, const std::vector<Call*>& calls,
                                    InlineUnit& unit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  static void turn_away(const TurnedAway& which);
  Entry& activate(Stripe& stripe, const Address& address)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  using Which = std::function<bool(const Entry&)>;
  /// Puts away those that were last used then or before, unless pinned.
  void end_unused_since(SteadyTime oldest, const Which& which);
  void end(Stripe& stripe, Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);
  void make_room(Stripe& stripe) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.mutex);

  caf::actor_system& system_;
  Environment& environment_;
  const RegistryOptions options_;
  /// Used again so soon, a conversation keeps its place.
  const int64_t touch_micros_;
  std::atomic<bool> closed_{false};
  std::atomic<int64_t> bytes_{0};
  std::atomic<int64_t> live_{0};
  std::atomic<int64_t> activations_{0};
  std::atomic<int64_t> passivations_{0};
  std::array<Stripe, k_stripes> stripes_;
};

}  // namespace parley
