#include <atomic>
#include <functional>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "actors/registry.hpp"
#include "storage/memory_journal.hpp"
#include "tests/actors/actor_world.hpp"

namespace parley {
namespace {

/// What another thread does meanwhile, in one place of the order: it comes when actors are run
/// inline the next time, which the registry does with no lock held.
class Meanwhile final : public caf::resumable {
 public:
  explicit Meanwhile(std::function<void()> act) : act_(std::move(act)) {}
  resume_result resume(caf::execution_unit*, size_t) override {
    act_();
    came = true;
    return done;
  }
  void intrusive_ptr_add_ref_impl() override {}
  void intrusive_ptr_release_impl() override {}

  bool came = false;

 private:
  const std::function<void()> act_;
};

// The other call went to the next activation before this question, and the watcher's leaving came
// between them: nothing let go of the watcher any more.
TEST(RegistryRace, NoCallIsNowhereWhileThoseThatWaitedAreHandedOn) {
  ActorWorld world({.bytes_max = 1 << 20, .idle_micros_max = 1'000'000});
  world.append("a", "x");
  world.clock.steady_now.micros += 5'000'000;
  world.registry().sweep();
  const auto first = world.ask("a", Follow{Version{2}, 7});
  const auto second = world.ask("a", Follow{Version{2}, 8});
  world.journal.let_all_pass();
  world.journal.finish_next();
  Meanwhile leaves([&] { world.registry().unfollow(world.address("a"), 8); });
  world.run_jobs_with(leaves);
  ASSERT_TRUE(leaves.came);
  EXPECT_FALSE(first->any());
  ASSERT_TRUE(second->failure);
  EXPECT_EQ(second->failure->code(), absl::StatusCode::kCancelled);
  world.registry().unfollow(world.address("a"), 7);
  world.clock.steady_now.micros += 5'000'000;
  world.registry().sweep();
  world.run();
  EXPECT_FALSE(world.registry().is_live(world.address("a"))) << "nobody watches it any more";
}

// The call had been let in before, and began an activation in a stripe that `retire_all` had been
// through.
TEST(RegistryRace, NoCallBeginsAnActivationBehindTheEnd) {
  ActorWorld world;
  world.journal.let_all_pass();
  // On its way to the lock a call takes this thread's unit, and one that belongs to another system
  // finishes what it has before it goes.
  caf::actor_system_config config;
  caf::actor_system other(config.set("scheduler.policy", caf::atom("testing")));
  Meanwhile ends([&] { world.registry().retire_all(); });
  InlineUnit::here(other).exec_later(&ends);
  const auto late = world.append("a", "x");
  ASSERT_TRUE(ends.came);
  ASSERT_TRUE(late->failure);
  EXPECT_EQ(late->failure->code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(world.registry().all_retired());
}

TEST(RegistryRace, WhatWaitsForTheNextActivationIsRefusedAtTheEnd) {
  ActorWorld world({.bytes_max = 1 << 20, .idle_micros_max = 1'000'000});
  const auto under_way = world.append("a", "x");
  world.clock.steady_now.micros += 5'000'000;
  world.registry().sweep();
  const auto one = world.append("a", "y");
  const auto two = world.append("a", "z");
  world.registry().retire_all();
  world.journal.let_all_pass();
  world.journal.finish_next();
  world.run();
  EXPECT_TRUE(under_way->outcome);
  for (const auto& waited : {one, two}) {
    ASSERT_TRUE(waited->failure);
    EXPECT_EQ(waited->failure->code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_TRUE(world.registry().all_retired());
}

TEST(RegistryRace, NothingIsWokenBehindTheEnd) {
  ActorWorld world;
  world.registry().retire_all();
  world.registry().wake(world.address("a"));
  world.run();
  EXPECT_TRUE(world.registry().all_retired());
}

/// A call that is counted when it is answered, however.
class CountedCall final : public Call {
 public:
  CountedCall(Address address, std::atomic<int>& answered) : answered_(answered) {
    to = std::move(address);
    what = Read{};
  }
  [[nodiscard]] bool expired() const override { return false; }
  void render(const State&, const RecentMessages&) override {}
  void answer(Outcome, bool) override { count(); }
  void fail(Status) override { count(); }
  void events(std::vector<std::shared_ptr<const EventList>>) override { count(); }
  void look_back(Version) override { count(); }

 private:
  void count() {
    ++answered_;
    delete this;
  }
  std::atomic<int>& answered_;
};

// I12. A call behind the message that ends its actor would be answered by nobody. Two threads have
// to meet within one step of the registry for that: why it is tried so often.
TEST(RegistryRace, NoCallSlipsBehindTheMessageThatEndsItsActor) {
  MemoryJournal journal;
  const SetClock clock;
  CountingIds ids;
  const Limits limits;
  ScheduledResumer resumer;  // never asked: nothing is written
  Environment environment{journal, clock, ids, limits, resumer, 16};
  const Address address = Address::of({"default", "a"}, environment.shard_count);
  caf::actor_system_config config;
  // As the server's.
  config.set("scheduler.policy", caf::atom("sharing")).set("scheduler.max-threads", 1);
  caf::actor_system system(config);
  // Whatever is not watched is idle.
  Registry registry(system, environment, {.bytes_max = 1 << 20, .idle_micros_max = 0});
  std::atomic<bool> enough{false};
  std::thread sweeper([&] {
    for (; !enough; std::this_thread::yield()) registry.sweep();
  });
  std::atomic<int> answered{0};
  int lost = 0;
  constexpr int k_ends = 2'000;
  constexpr int k_at_once = 256;
  for (int called = 0; registry.stats().passivations < k_ends;) {
    for (int i = 0; i < k_at_once; ++i, ++called) {
      registry.dispatch(new CountedCall(address, answered));
    }
    while (answered + lost < called) {
      std::this_thread::yield();
      // An activation that is gone has answered all that reached it.
      if (!registry.is_live(address)) lost = called - answered;
    }
  }
  enough = true;
  sweeper.join();
  registry.retire_all();
  while (!registry.all_retired()) std::this_thread::yield();
  system.await_all_actors_done();  // whoever retired the last one is through with it
  EXPECT_EQ(lost, 0);
}

}  // namespace
}  // namespace parley
