#include <functional>
#include <utility>

#include <gtest/gtest.h>

#include "actors/registry.hpp"
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

}  // namespace
}  // namespace parley
