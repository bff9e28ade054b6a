#pragma once

#include <atomic>
#include <vector>

#include <caf/fwd.hpp>

#include "actors/owned_shards.hpp"
#include "base/time.hpp"
#include "conversation/limits.hpp"
#include "storage/journal.hpp"

namespace parley {

/// The clocks. Virtual, so that tests set them; every method may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime wall() const = 0;
  [[nodiscard]] virtual SteadyTime steady() const = 0;
};

/// CLOCK_REALTIME and CLOCK_BOOTTIME.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override;
  [[nodiscard]] SteadyTime steady() const override;
};

/// Fresh ids, never the same twice. Any thread.
class IdSource {
 public:
  virtual ~IdSource() = default;
  virtual Id128 fresh() = 0;
};

/// UUIDs of version 4 from the kernel's random numbers.
class RandomIds final : public IdSource {
 public:
  Id128 fresh() override;
};

/// Brings finished writes back to threads that may run actors.
///
/// `written` and `flush` come on the journal's commit thread and must not block: `written` for each
/// actor whose batch is finished, then one `flush` for the group.
class Resumer : public Wakeup {
 public:
  virtual void written(caf::strong_actor_ptr actor, WriteOutcome outcome) = 0;
};

class RemoteParents;

/// What every conversation's actor stands on. Owned by the server, outlives all actors; shared by
/// all threads.
struct Environment {
  Journal& journal;
  const Clock& clock;
  IdSource& ids;
  const Limits& limits;
  /// Where writes come back to when the thread at hand has no resumer of its own.
  Resumer& resumer;
  uint32_t shard_count = 256;
  const OwnedShards* owned = nullptr;          ///< null: all
  RemoteParents* parents_elsewhere = nullptr;  ///< null where no parent is
  /// Until when this node owns what it owns, by shard, microseconds of `clock.steady`; none: for
  /// ever. Shards of one database share a lease.
  std::vector<const std::atomic<int64_t>*> leases_until{};

  [[nodiscard]] SteadyTime owned_until(Shard shard) const {
    if (leases_until.empty()) return SteadyTime::never();
    return {leases_until[shard.value]->load(std::memory_order_acquire)};
  }
  [[nodiscard]] ShardUse use(Shard shard) const {
    return owned == nullptr ? ShardUse::served : owned->use(shard);
  }
};

/// The resumer of the thread at hand; null on threads without one. Set by the threads of the call
/// queues.
Resumer*& resumer_here();

}  // namespace parley
