#include "actors/conversation_actor.hpp"

#include <gtest/gtest.h>

#include "tests/actors/actor_world.hpp"

namespace parley {
namespace {

TEST(ConversationActor, WithholdsTheAnswerUntilTheJournalHasWritten) {
  ActorWorld world;
  const auto appended = world.append("a", "hello");
  EXPECT_FALSE(appended->any());
  ASSERT_EQ(world.journal.waiting(), 1U);
  world.journal.finish_next();
  world.run();
  ASSERT_TRUE(appended->outcome);
  EXPECT_EQ(appended->receipt().first, Sequence{1});
  EXPECT_EQ(appended->receipt().version, Version{2}) << "created, then appended";
}

TEST(ConversationActor, HoldsAReadThatSawWhatIsNotDurable) {
  ActorWorld world;
  const auto appended = world.append("a", "hello");
  const auto read = world.ask("a", Read{});
  EXPECT_EQ(read->rendered, Version{2});
  EXPECT_FALSE(read->any());
  world.journal.finish_next();
  world.run();
  EXPECT_EQ(read->receipt().version, Version{2});
}

TEST(ConversationActor, GathersCallsWhileABatchIsUnderWay) {
  ActorWorld world;
  const auto first = world.append("a", "1");
  const auto second = world.append("a", "2");
  const auto third = world.append("a", "3");
  ASSERT_EQ(world.journal.waiting(), 1U) << "one batch at a time";
  world.journal.finish_next();
  world.run();
  ASSERT_EQ(world.journal.waiting(), 1U);
  EXPECT_EQ(world.journal.next().events->size(), 2U);
  EXPECT_FALSE(second->any());
  world.journal.finish_next();
  world.run();
  EXPECT_EQ(second->receipt().first, Sequence{2});
  EXPECT_EQ(third->receipt().first, Sequence{3});
}

TEST(ConversationActor, AnswersUnavailableAndReloadsAfterAnUnknownWrite) {
  ActorWorld world;
  const auto lost = world.append("a", "lost");
  const auto behind = world.append("a", "behind it");
  world.journal.refuse_next(WriteOutcome::unknown);
  world.run();
  ASSERT_TRUE(lost->outcome);
  EXPECT_EQ(std::get<Failure>(*lost->outcome), Failure::unknown);
  EXPECT_EQ(std::get<Failure>(*behind->outcome), Failure::not_written);
  EXPECT_FALSE(world.registry().is_live(world.address("a")));
  world.journal.let_all_pass();
  const auto again = world.append("a", "again");
  EXPECT_EQ(again->receipt().first, Sequence{1}) << "nothing of the lost write was kept";
  EXPECT_EQ(world.journal.loads, 2);
}

TEST(ConversationActor, TellsEveryCallerThatStorageCannotBeRead) {
  ActorWorld world;
  world.journal.load_error = absl::DataLossError("a block fails its checksum");
  const auto append = world.append("a", "x");
  ASSERT_TRUE(append->failure);
  EXPECT_EQ(append->failure->code(), absl::StatusCode::kDataLoss);
  world.journal.load_error = absl::OkStatus();
  world.journal.let_all_pass();
  EXPECT_TRUE(world.append("a", "y")->outcome) << "the next call tries again";
}

TEST(ConversationActor, DoesNotBeginACallWhoseDeadlineHasPassed) {
  ActorWorld world;
  auto answered = std::make_shared<Answered>();
  auto* call = new TestCall(world.address("a"), ActorWorld::append_of("late"), answered);
  call->expire();
  world.registry().dispatch(call);
  world.run();
  ASSERT_TRUE(answered->failure);
  EXPECT_EQ(answered->failure->code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(world.journal.waiting(), 0U);
}

TEST(ConversationActor, WatcherWaitsAtTheHeadAndIsToldWhatBecomesDurable) {
  ActorWorld world;
  world.append("a", "1");
  world.journal.finish_next();
  world.run();
  const auto watched = world.ask("a", Follow{Version{2}, 7});
  EXPECT_FALSE(watched->any());
  world.append("a", "2");
  EXPECT_FALSE(watched->any()) << "not durable yet";
  world.journal.finish_next();
  world.run();
  EXPECT_EQ(watched->events, std::vector<Version>{Version{3}});
}

TEST(ConversationActor, SendsAWatcherFarBehindToLookBack) {
  ActorWorld world;
  world.journal.let_all_pass();
  world.append("a", "1");
  const auto watched = world.ask("a", Follow{Version{0}, 7});
  EXPECT_EQ(watched->look_back, Version{2});
}

TEST(ConversationActor, RemembersLateEventsForAWatcherALittleBehind) {
  ActorWorld world;
  world.journal.let_all_pass();
  world.append("a", "1");
  world.ask("a", Follow{Version{2}, 7});
  world.append("a", "2");
  world.append("a", "3");
  const auto watched = world.ask("a", Follow{Version{3}, 7});
  EXPECT_EQ(watched->events, std::vector<Version>{Version{4}});
}

TEST(ConversationActor, TellsAWatcherOfTheDeletionAndThenKnowsNothing) {
  ActorWorld world;
  world.journal.let_all_pass();
  world.append("a", "1");
  const auto watched = world.ask("a", Follow{Version{2}, 7});
  world.ask("a", Mutate{DeleteConversation{}, {}});
  EXPECT_EQ(watched->events, std::vector<Version>{Version{3}});
  const auto after = world.ask("a", Follow{Version{3}, 7});
  EXPECT_EQ(after->refused(), Reason::conversation_not_found);
}

TEST(ConversationActor, WaitsForCreationWhereTheWatcherWantsTo) {
  ActorWorld world;
  world.journal.let_all_pass();
  const auto watched = world.ask("a", Follow{Version{0}, 7, true});
  EXPECT_FALSE(watched->any());
  world.append("a", "1");
  EXPECT_EQ(watched->events, (std::vector<Version>{Version{1}, Version{2}}));
}

TEST(ConversationActor, AWatcherThatReadStorageMayBeAheadOfWhatTheActorHeard) {
  ActorWorld world;
  world.append("a", "1");
  const auto watched = world.ask("a", Follow{Version{2}, 7});
  EXPECT_FALSE(watched->any()) << "storage may show version 2 already";
  world.journal.finish_next();
  world.run();
  EXPECT_FALSE(watched->any()) << "nothing new in it";
  world.append("a", "2");
  world.journal.finish_next();
  world.run();
  EXPECT_EQ(watched->events, std::vector<Version>{Version{3}});
  EXPECT_EQ(world.ask("a", Follow{Version{4}, 8})->refused(), Reason::version_in_future);
}

TEST(ConversationActor, OutlivesItsWriteWhenItIsDeposed) {
  ActorWorld world;
  world.append("a", "1");
  world.journal.finish_next();
  world.run();
  const auto under_way = world.append("a", "2");
  ASSERT_EQ(world.journal.waiting(), 1U);
  caf::anon_send(world.resumer.last, OwnershipMessage{{Epoch{9}}});
  world.run();
  EXPECT_EQ(std::get<Failure>(*under_way->outcome), Failure::unknown);
  const auto next = world.append("a", "3");
  EXPECT_EQ(world.journal.releases, 0) << "the next one may not load what is being written";
  EXPECT_EQ(world.journal.loads, 1);
  world.journal.let_all_pass();
  world.journal.finish_next();
  world.run();
  EXPECT_EQ(next->receipt().first, Sequence{3}) << "it was written after all";
  EXPECT_EQ(world.journal.loads, 2);
}

TEST(ConversationActor, BoundsItsWatchers) {
  ActorWorld world;
  world.limits.watchers_per_conversation = 2;
  world.journal.let_all_pass();
  world.append("a", "1");
  world.ask("a", Follow{Version{2}, 1});
  world.ask("a", Follow{Version{2}, 2});
  const auto third = world.ask("a", Follow{Version{2}, 3});
  ASSERT_TRUE(third->failure);
  EXPECT_EQ(third->failure->code(), absl::StatusCode::kResourceExhausted);
  world.registry().unfollow(world.address("a"), 1);
  EXPECT_FALSE(world.ask("a", Follow{Version{2}, 3})->any()) << "room again";
}

TEST(ConversationActor, LetsGoOfAWatcherThatHasGone) {
  ActorWorld world;
  world.journal.let_all_pass();
  world.append("a", "1");
  const auto watched = world.ask("a", Follow{Version{2}, 7});
  world.registry().unfollow(world.address("a"), 7);
  ASSERT_TRUE(watched->failure);
  EXPECT_EQ(watched->failure->code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace parley
