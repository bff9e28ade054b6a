#include "actors/registry.hpp"

#include <gtest/gtest.h>

#include "tests/actors/actor_world.hpp"

namespace parley {
namespace {

TEST(Registry, LoadsAConversationOnceForManyCalls) {
  ActorWorld world;
  world.journal.let_all_pass();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(world.append("a", "x")->outcome);
  EXPECT_EQ(world.journal.loads, 1);
  EXPECT_EQ(world.registry().stats().live, 1);
}

TEST(Registry, PutsAwayWhatIsIdleWithASnapshotAfterManyChanges) {
  ActorWorld world({.bytes_max = 1 << 20, .idle_micros_max = 1'000'000});
  world.journal.let_all_pass();
  const size_t enough = Limits{}.snapshot_events_at_end;
  for (size_t i = 0; i < enough; ++i) world.append("a", "x");
  world.clock.steady_now.micros += 500'000;
  world.append("b", "x");
  world.clock.steady_now.micros += 700'000;
  world.registry().sweep();
  world.run();
  EXPECT_FALSE(world.registry().is_live(world.address("a")));
  EXPECT_TRUE(world.registry().is_live(world.address("b")));
  EXPECT_EQ(world.journal.snapshots, 1);
  EXPECT_EQ(world.journal.releases, 1);
  world.clock.steady_now.micros += 1'500'000;
  world.registry().sweep();
  world.run();
  EXPECT_EQ(world.journal.releases, 2);
  EXPECT_EQ(world.journal.snapshots, 1) << "few events are read as fast as a snapshot";
}

TEST(Registry, KeepsWhatIsWatched) {
  ActorWorld world({.bytes_max = 1 << 20, .idle_micros_max = 1'000'000});
  world.journal.let_all_pass();
  world.append("a", "x");
  world.ask("a", Follow{Version{2}, 1});
  world.clock.steady_now.micros += 5'000'000;
  world.registry().sweep();
  world.run();
  EXPECT_TRUE(world.registry().is_live(world.address("a")));
}

TEST(Registry, AConversationWithAWriteUnderWayEndsAfterIt) {
  ActorWorld world({.bytes_max = 1 << 20, .idle_micros_max = 1'000'000});
  const auto appended = world.append("a", "x");
  world.clock.steady_now.micros += 5'000'000;
  world.registry().sweep();
  world.run();
  EXPECT_TRUE(world.registry().is_live(world.address("a")));
  EXPECT_FALSE(appended->any());
  const auto late = world.append("a", "y");
  EXPECT_FALSE(late->any()) << "waits for the next activation";
  world.journal.finish_next();
  world.run();
  EXPECT_TRUE(appended->outcome);
  ASSERT_EQ(world.journal.waiting(), 1U) << "the waiting call began the next activation";
  world.journal.finish_next();
  world.run();
  EXPECT_EQ(late->receipt().first, Sequence{2});
  EXPECT_EQ(world.journal.loads, 2);
}

TEST(Registry, MakesRoomForTheNextWhenTheBudgetIsReached) {
  ActorWorld world({.bytes_max = 200'000, .idle_micros_max = 1'000'000'000});
  world.journal.let_all_pass();
  constexpr int k_conversations = 3'000;
  for (int i = 0; i < k_conversations; ++i)
    world.append("t" + std::to_string(i), std::string(500, 'x'));
  const RegistryStats stats = world.registry().stats();
  EXPECT_LT(stats.live, k_conversations / 4);
  EXPECT_GT(stats.passivations, k_conversations / 2);
  for (int i = 0; i < k_conversations; i += 97) {
    EXPECT_EQ(world.append("t" + std::to_string(i), "again")->receipt().first, Sequence{2});
  }
}

TEST(Registry, MakesRoomAtOnceForOneThatIsWoken) {
  ActorWorld world({.bytes_max = 1, .idle_micros_max = 1'000'000});
  world.journal.let_all_pass();
  world.append("a", "x");
  // Room is made among those that share a lock.
  for (int i = 0; world.registry().is_live(world.address("a")); ++i) {
    ASSERT_LT(i, 10'000);
    world.registry().wake(world.address("t" + std::to_string(i)));
  }
  EXPECT_EQ(world.journal.releases, 1) << "ended by the call that needed the room";
}

TEST(Registry, LetsGoOfAWatcherThatWaitsForTheNextActivation) {
  ActorWorld world({.bytes_max = 1 << 20, .idle_micros_max = 1'000'000});
  world.append("a", "x");
  world.clock.steady_now.micros += 5'000'000;
  world.registry().sweep();
  const auto watched = world.ask("a", Follow{Version{2}, 7});
  const auto other = world.ask("a", Follow{Version{2}, 8});
  EXPECT_FALSE(watched->any()) << "the write under way holds the activation that ends";
  world.registry().unfollow(world.address("a"), 7);
  ASSERT_TRUE(watched->failure);
  EXPECT_EQ(watched->failure->code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(other->any());
  world.journal.let_all_pass();
  world.journal.finish_next();
  world.run();
  world.append("a", "y");
  EXPECT_EQ(other->events, std::vector<Version>{Version{3}});
}

TEST(Registry, RefusesCallsOnceItIsClosed) {
  ActorWorld world;
  world.journal.let_all_pass();
  world.append("a", "x");
  world.registry().retire_all();
  world.run();
  EXPECT_TRUE(world.registry().all_retired());
  const auto late = world.append("a", "y");
  ASSERT_TRUE(late->failure);
  EXPECT_EQ(late->failure->code(), absl::StatusCode::kUnavailable);
}

TEST(Registry, TellsAParentThatItsForkIsGone) {
  ActorWorld world;
  world.journal.let_all_pass();
  world.append("parent", "x");
  const auto noted = world.ask("parent", Mutate{NoteFork{"child", Sequence{1}}, {}});
  CreateConversation create;
  create.fork =
      ForkPoint{.origin = {"parent", Sequence{1}}, .parent = {"parent", noted->receipt().fork}};
  world.ask("child", Mutate{create, {}});
  ASSERT_EQ(world.journal.read_state(world.address("parent").key, world.address("parent").shard)
                ->current.children.size(),
            1U);
  world.ask("child", Mutate{DeleteConversation{}, {}});
  const auto parent =
      world.journal.read_state(world.address("parent").key, world.address("parent").shard);
  EXPECT_TRUE(parent->current.children.empty());
  const auto unfinished = world.journal.unfinished_releases();
  ASSERT_TRUE(unfinished.ok());
  EXPECT_TRUE(unfinished->empty()) << "the child knows that the parent knows";
}

}  // namespace
}  // namespace parley
