#include "tests/actors/schedule/run.hpp"

#include <utility>

#include "tests/actors/schedule/checkers.hpp"
#include "tests/actors/schedule/clients.hpp"
#include "tests/actors/schedule/watchers.hpp"
#include "tests/actors/schedule/writes.hpp"

namespace parley::schedule {
namespace {

/// More than any run needs to come to rest.
constexpr int k_rest_steps_max = 20'000;
constexpr int64_t k_micros_idle = 10'000'000;

/// The scheduler of a run: decides what happens next, until all is at rest.
class Scheduler {
 public:
  explicit Scheduler(Stage& stage)
      : stage_(stage), writes_(stage), clients_(stage), watchers_(stage) {}

  void run() {
    const uint64_t steps = 40 + stage_.rng.below(160);
    for (uint64_t i = 0; i < steps && !stage_.violation; ++i) {
      step();
      writes_.check();
    }
    // Why: what is broken already may crash the rest.
    if (!stage_.violation) end();
  }

 private:
  struct Choice {
    uint32_t weight;
    void (Scheduler::*act)();
  };

  void step() {
    const Rates& r = stage_.rates;
    resumer_here() = stage_.rng.chance(r.by_scheduler) ? nullptr : &stage_.bell;
    const std::array<Choice, 13> choices{{
        {r.call, &Scheduler::call},
        {r.retry, &Scheduler::retry},
        {stage_.jobs().empty() ? 0 : r.job, &Scheduler::run_a_job},
        {writes_.any() ? r.write : 0, &Scheduler::finish_a_write},
        {stage_.bell.any() ? r.ring : 0, &Scheduler::ring},
        {r.clock, &Scheduler::move_clocks},
        {r.sweep, &Scheduler::sweep},
        {r.follow, &Scheduler::follow},
        {r.leave, &Scheduler::leave},
        {r.raise, &Scheduler::raise_epoch},
        {r.tell_owner, &Scheduler::lease},
        {r.fail_load, &Scheduler::fail_loads},
        {r.wake, &Scheduler::wake},
    }};
    uint64_t total = 0;
    for (const Choice& choice : choices) total += choice.weight;
    uint64_t roll = stage_.rng.below(total);
    const Choice* chosen = choices.data();
    while (roll >= chosen->weight) roll -= (chosen++)->weight;
    (this->*chosen->act)();
  }

  void call() { clients_.call(); }
  void retry() { clients_.retry(); }
  void run_a_job() { stage_.run_a_job(); }
  void finish_a_write() { writes_.finish_one(); }
  void ring() { stage_.bell.ring(stage_.system()); }
  void follow() { watchers_.act(); }
  void leave() { watchers_.leave(); }
  void wake() { stage_.registry().wake(stage_.address(stage_.rng.below(k_threads))); }

  void fail_loads() {
    stage_.journal.load_error =
        stage_.rng.chance(700) ? absl::OkStatus() : absl::UnavailableError("not now");
  }

  void move_clocks() {
    stage_.clock.steady_now.micros += stage_.rng.between(1, 400'000);
    stage_.clock.wall_now.micros += stage_.rng.between(-2'000'000, 3'000'000);
  }

  void sweep() {
    stage_.trace("sweep");
    stage_.registry().sweep();
  }

  void raise_epoch() {
    const size_t thread = stage_.rng.below(k_threads);
    writes_.raise_epoch(thread);
    if (stage_.rng.chance(500)) writes_.tell_owner(thread, SteadyTime::never());
  }

  /// Leases that run out soon, and their renewal.
  void lease() {
    const int64_t until = stage_.clock.steady_now.micros + stage_.rng.between(0, 600'000);
    writes_.tell_owner(stage_.rng.below(k_threads),
                       stage_.rng.chance(500) ? SteadyTime{until} : SteadyTime::never());
  }

  /// Nothing is due any more. The order stays the seed's.
  void rest() {
    for (int i = 0; i < k_rest_steps_max && !stage_.violation; ++i) {
      const bool job = !stage_.jobs().empty();
      const bool write = writes_.any();
      const bool ring = stage_.bell.any();
      if (!job && !write && !ring) return;
      const uint64_t roll = stage_.rng.below(3);
      if (job && (roll == 0 || (!write && !ring))) {
        stage_.run_a_job();
      } else if (write && (roll == 1 || !ring)) {
        writes_.finish_one();
      } else if (ring) {
        stage_.bell.ring(stage_.system());
      }
      writes_.check();
    }
    stage_.fail("it does not come to rest");
  }

  void end() {
    stage_.heal();
    for (size_t thread = 0; thread < k_threads; ++thread) {
      writes_.tell_owner(thread, SteadyTime::never());
    }
    rest();
    if (!clients_.all_answered()) stage_.fail("a call was never answered");
    check_served();
    check_watched();
    check_released();
    put_away();
  }

  /// I8: with the faults gone, every conversation takes a change and is read; the first call may
  /// still find an activation that was deposed.
  void check_served() {
    ask_everywhere();
    const size_t before = stage_.record.attempts.size();
    ask_everywhere();
    for (size_t i = before; i < stage_.record.attempts.size(); ++i) {
      if (stage_.record.attempts[i].receipt() == nullptr) {
        stage_.fail("a call is not served although nothing is wrong any more");
      }
    }
  }

  void ask_everywhere() {
    for (size_t thread = 0; thread < k_threads; ++thread) {
      clients_.send({.kind = Kind::append, .thread = thread, .lenient = true, .bodies = 1});
      clients_.send({.kind = Kind::read, .thread = thread});
    }
    rest();
  }

  void check_watched() {
    for (int i = 0; i < k_rest_steps_max && !watchers_.caught_up(); ++i) {
      watchers_.act_all();
      rest();
    }
    if (!watchers_.caught_up()) stage_.fail("a watcher never gets what is durable");
    watchers_.leave_for_good();
    rest();
    if (!watchers_.all_released()) stage_.fail("a watcher that left is still held");
  }

  /// Conversations that owe something are taken up again, as a server does at its start.
  void check_released() {
    put_away_idle();
    const auto unfinished = stage_.journal.unfinished_releases();
    for (const auto& each : *unfinished) {
      stage_.registry().wake(stage_.address(stage_.thread_of(each.key)));
    }
    rest();
    if (!stage_.journal.unfinished_releases()->empty()) {
      stage_.fail("a parent never hears that its fork is gone");
    }
  }

  void put_away_idle() {
    stage_.clock.steady_now.micros += k_micros_idle;
    sweep();
    rest();
    if (stage_.registry().stats().live > 0) stage_.fail("an idle conversation is not put away");
  }

  void put_away() {
    put_away_idle();
    if (stage_.registry().stats().bytes != 0) stage_.fail("memory of nothing is counted");
    stage_.registry().retire_all();
    rest();
    if (!stage_.registry().all_retired()) stage_.fail("not everything can be retired");
    for (const auto& [key, count] : stage_.journal.active) {
      if (count != 0) stage_.fail("a conversation was not released");
    }
  }

  Stage& stage_;
  Writes writes_;
  Clients clients_;
  Watchers watchers_;
};

}  // namespace

RunResult run(const RunOptions& options) {
  Stage stage(options.seed, options.lie, options.verbose);
  {
    Scheduler scheduler(stage);
    scheduler.run();
  }
  stage.stats.activations = static_cast<uint64_t>(stage.registry().stats().activations);
  if (!stage.violation) stage.violation = check(stage);
  return {stage.violation, stage.stats, stage.trace_hash(), std::move(stage.lines)};
}

}  // namespace parley::schedule
