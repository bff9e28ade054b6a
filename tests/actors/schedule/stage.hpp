#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include "tests/actors/actor_world.hpp"
#include "tests/actors/schedule/record.hpp"
#include "tests/sim/timeline.hpp"

namespace parley::schedule {

/// What is broken on purpose, beside the actors: each must be found.
enum class Lie : uint8_t {
  none,
  tells_before_keeping,    ///< the journal says committed and keeps the batch some time later
  keeps_nothing,           ///< the journal says committed and drops the batch
  swaps_two,               ///< the journal keeps two batches in each other's place
  denies_what_it_keeps,    ///< the journal keeps the batch and says not_written
  commits_what_it_fences,  ///< the journal refuses a batch for its epoch and says committed
  loses_a_wakeup,          ///< a finished write is never told to its actor
  skips_in_history,        ///< reading events back leaves one out
};

/// How often what happens, in parts of a whole that each seed draws for itself.
struct Rates {
  // What is next.
  uint32_t call = 30, retry = 8, job = 25, write = 25, ring = 15, clock = 4, sweep = 2, follow = 8,
           leave = 2, raise = 1, tell_owner = 2, fail_load = 1, wake = 1;
  // Of a thousand.
  uint32_t not_written = 0, conflict = 0, unknown_lost = 0, unknown_kept = 0;
  uint32_t by_scheduler = 300;  ///< a batch comes back by CAF's scheduler, not by the bell
  uint32_t nested = 200;        ///< an answer makes its caller call again from within
  uint32_t expired = 10;        ///< a call's deadline passes while it waits
};

/// Brings finished writes back: as CAF's jobs, or like the bell of a call queue, which runs actors
/// inline when it is rung.
class ReturningWrites final : public Resumer {
 public:
  enum class By : uint8_t { scheduler, bell };
  explicit ReturningWrites(By by) : by_(by) {}

  void written(caf::strong_actor_ptr actor, WriteOutcome outcome) override;
  void flush() override {}

  [[nodiscard]] bool any() const { return !finished_.empty(); }
  void ring(caf::actor_system& system);

  bool lose_next = false;
  caf::strong_actor_ptr last;  ///< whose write came back last

 private:
  struct Finished {
    caf::strong_actor_ptr actor;
    WriteOutcome outcome;
  };
  const By by_;
  std::vector<Finished> finished_;
};

/// What a run stands on: a node's actors on one thread, everything beside them fake, chance, and
/// the record. Owned by the run.
class Stage {
 public:
  Stage(uint64_t seed, Lie what_is_broken, bool verbose);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  caf::actor_system& system() { return *system_; }
  Registry& registry() { return *registry_; }
  std::deque<caf::resumable*>& jobs();
  /// Runs one of CAF's jobs, whichever chance wants.
  void run_a_job();
  /// From now on nothing goes wrong any more.
  void heal();

  [[nodiscard]] const Address& address(size_t thread) const { return addresses_[thread]; }
  [[nodiscard]] size_t thread_of(const ConversationKey& key) const;
  /// The first thing that is wrong stays.
  void fail(const std::string& what) {
    if (!violation) violation = what;
  }
  /// Part of the run's identity: two runs of a seed trace the same.
  void trace(std::string_view what, uint64_t a = 0, uint64_t b = 0);
  [[nodiscard]] uint64_t trace_hash() const { return hash_; }

  sim::Rng rng;
  Rates rates;
  const Lie lie;
  Record record;
  Stats stats;
  Violation violation;
  std::vector<std::string> lines;  ///< the trace in words, where asked for
  bool healed = false;

  HeldJournal journal;
  SetClock clock;
  CountingIds ids;
  Limits limits;
  ReturningWrites scheduled{ReturningWrites::By::scheduler};
  ReturningWrites bell{ReturningWrites::By::bell};
  Environment environment{journal, clock, ids, limits, scheduled, 4};

 private:
  const bool verbose_;
  uint64_t hash_ = 0;
  std::vector<Address> addresses_;
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  std::unique_ptr<Registry> registry_;
};

}  // namespace parley::schedule
