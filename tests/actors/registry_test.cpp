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

/// A shard that is about to move: what is left is soon put away while calls wait.
TEST(Registry, PutsAwayWhatOfAShardIsNotInUse) {
  ActorWorld world({.bytes_max = 1 << 20, .idle_micros_max = 60'000'000});
  world.journal.let_all_pass();
  for (const char* key : {"a", "b", "watched"}) world.append(key, "x");
  world.ask("watched", Follow{Version{2}, 1});
  world.clock.steady_now.micros += 2'000'000;
  world.append("b", "x");
  const Shard shard = world.address("a").shard;
  world.registry().put_idle_away({static_cast<uint16_t>(shard.value + 1)});
  world.run();
  EXPECT_TRUE(world.registry().is_live(world.address("a"))) << "of another shard";
  for (const char* key : {"a", "b", "watched"}) {
    world.registry().put_idle_away(world.address(key).shard);
  }
  world.run();
  EXPECT_FALSE(world.registry().is_live(world.address("a")));
  EXPECT_TRUE(world.registry().is_live(world.address("b"))) << "used just now";
  EXPECT_TRUE(world.registry().is_live(world.address("watched")));
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

/// A shard that passes on: its calls wait, and are carried out or turned away then.
class HeldShard : public ::testing::Test {
 protected:
  HeldShard() {
    for (uint16_t i = 0; i < world.environment.shard_count; ++i) shards.set({i}, ShardUse::served);
    world.environment.owned = &shards;
  }
  void hold() {
    shards.set(shard, ShardUse::held);
    world.registry().put_away(shard, [this] { ended = true; });
    world.run();
  }
  void pass_on(ShardUse use) {
    shards.set(shard, use);
    world.registry().resume(shard);
    world.run();
  }
  /// A conversation that lies in the shard, or does not.
  std::string name(bool within) {
    for (int i = 0;; ++i) {
      std::string thread = "t" + std::to_string(i);
      if ((world.address(thread).shard == shard) == within) return thread;
    }
  }

  ActorWorld world;
  OwnedShards shards{world.environment.shard_count};
  const Shard shard{3};
  bool ended = false;
};

TEST_F(HeldShard, CallsWaitAndAreCarriedOutInTheirOrder) {
  world.journal.let_all_pass();
  world.append(name(true), "x");
  hold();
  EXPECT_TRUE(ended);
  EXPECT_FALSE(world.registry().is_live(world.address(name(true))));
  const auto first = world.append(name(true), "y");
  const auto second = world.append(name(true), "z");
  EXPECT_TRUE(world.append(name(false), "others go on")->outcome);
  EXPECT_FALSE(first->any());
  pass_on(ShardUse::served);
  EXPECT_EQ(first->receipt().first, Sequence{2});
  EXPECT_EQ(second->receipt().first, Sequence{3});
}

/// Whoever asks again does not answer for who asked first.
TEST_F(HeldShard, IsPutAwayOnceNothingIsUnderWayHoweverOftenThatIsAsked) {
  world.append(name(true), "x");
  hold();
  EXPECT_FALSE(ended);
  world.registry().put_away(shard, [] {});
  world.run();
  EXPECT_FALSE(ended);
  world.journal.let_all_pass();
  world.journal.finish_next();
  world.run();
  EXPECT_TRUE(ended);
}

TEST_F(HeldShard, CallsAreTurnedAwayWhereItPassedOn) {
  world.journal.let_all_pass();
  hold();
  EXPECT_TRUE(ended) << "nothing was live";
  const auto held = world.append(name(true), "x");
  pass_on(ShardUse::elsewhere);
  ASSERT_TRUE(held->outcome);
  EXPECT_EQ(std::get<Failure>(*held->outcome), Failure::not_owner);
  EXPECT_EQ(std::get<Failure>(*world.append(name(true), "y")->outcome), Failure::not_owner);
  world.registry().wake(world.address(name(true)));
  world.run();
  EXPECT_EQ(world.journal.loads, 0);
}

TEST_F(HeldShard, HasEndedOnlyWhenNothingIsOnItsWayToTheJournal) {
  const auto appended = world.append(name(true), "x");
  hold();
  EXPECT_FALSE(ended);
  const auto waiting = world.append(name(true), "y");
  world.journal.finish_next();
  world.run();
  EXPECT_TRUE(appended->outcome) << "what was begun is finished";
  EXPECT_TRUE(ended);
  EXPECT_FALSE(waiting->any());
  EXPECT_EQ(world.journal.loads, 1);
  world.journal.let_all_pass();
  pass_on(ShardUse::served);
  EXPECT_EQ(waiting->receipt().first, Sequence{2});
}

TEST_F(HeldShard, EndsWhatIsWatched) {
  world.journal.let_all_pass();
  world.append(name(true), "x");
  const auto watcher = world.ask(name(true), Follow{Version{2}, 1});
  hold();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(watcher->failure);
  const auto again = world.ask(name(true), Follow{Version{2}, 1});
  EXPECT_FALSE(again->any());
  world.registry().unfollow(world.address(name(true)), 1);
  EXPECT_TRUE(again->failure);
}

TEST_F(HeldShard, MayBeHeldAgain) {
  world.journal.let_all_pass();
  const auto appended = world.append(name(true), "x");
  hold();
  const auto held = world.append(name(true), "y");
  pass_on(ShardUse::served);
  EXPECT_TRUE(held->outcome);
  ended = false;
  hold();
  EXPECT_TRUE(ended);
  pass_on(ShardUse::served);
  EXPECT_EQ(world.append(name(true), "z")->receipt().first, Sequence{3});
}

TEST_F(HeldShard, WaitsForWhatWasEndingAlready) {
  const auto appended = world.append(name(true), "x");
  world.clock.steady_now.micros += 1'000'000'000;
  world.registry().sweep();
  world.run();
  hold();
  EXPECT_FALSE(ended);
  world.journal.finish_next();
  world.run();
  EXPECT_TRUE(ended);
}

TEST_F(HeldShard, HeldCallsAreRefusedWhenTheServerStops) {
  world.journal.let_all_pass();
  hold();
  const auto held = world.append(name(true), "x");
  world.registry().retire_all();
  world.run();
  ASSERT_TRUE(held->failure);
  EXPECT_EQ(held->failure->code(), absl::StatusCode::kUnavailable);
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
