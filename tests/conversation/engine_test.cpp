#include "conversation/engine.hpp"

#include <gtest/gtest.h>

#include "tests/conversation/engine_rig.hpp"

namespace parley {
namespace {

using build::append;
using build::append_or_create;
using build::create;
using build::request;

TEST(Engine, HasOneBatchUnderWayAndGathersTheRest) {
  EngineRig rig;
  rig.submit(1, create());
  ASSERT_TRUE(rig.batch().has_value());
  EXPECT_EQ(rig.batch()->expected, Version{0});
  EXPECT_EQ(rig.batch()->after, Version{1});
  for (Ticket ticket = 2; ticket <= 5; ++ticket) {
    rig.submit(ticket, append({"a"}));
    EXPECT_TRUE(rig.out().empty());
  }
  rig.written();
  ASSERT_TRUE(rig.batch().has_value());
  EXPECT_EQ(rig.batch()->events->size(), 4U);
  EXPECT_EQ(rig.batch()->expected, Version{1});
  EXPECT_EQ(rig.batch()->after, Version{5});
  rig.written();
  EXPECT_FALSE(rig.batch().has_value());
  EXPECT_EQ(rig.all<Answer>().size(), 4U);
  EXPECT_EQ(rig.engine().durable(), Version{5});
  EXPECT_TRUE(rig.engine().quiescent());
}

TEST(Engine, PutsBothEventsOfCreateIfMissingIntoOneBatch) {
  EngineRig rig;
  rig.submit(1, append_or_create({"a"}));
  EXPECT_EQ(rig.batch()->events->size(), 2U);
  EXPECT_EQ(rig.batch()->after, Version{2});
}

TEST(Engine, DecidesOnTheTentativeState) {
  EngineRig rig;
  rig.submit(1, create()).submit(2, append({"a"})).submit(3, append({"b"}));
  EXPECT_EQ(rig.engine().tentative().last_sequence, Sequence{2});
  EXPECT_EQ(rig.engine().durable(), Version{0});
  rig.written().written();
  EXPECT_EQ(rig.receipt(3)->first, Sequence{2});
}

TEST(Engine, SplitsBatchesBehindADeletion) {
  EngineRig rig;
  rig.submit(1, create("first")).submit(2, DeleteConversation{}, request(9));
  rig.submit(3, create("second")).submit(4, append({"a"}));
  rig.written();
  ASSERT_TRUE(rig.batch().has_value());
  const Batch deletion = *rig.batch();
  EXPECT_TRUE(deletion.gone);
  EXPECT_EQ(deletion.events->size(), 1U);
  EXPECT_EQ(deletion.expected, Version{1});
  EXPECT_EQ(deletion.after, Version{0});
  EXPECT_EQ(deletion.index_before->user, "first");
  EXPECT_FALSE(deletion.index_after.has_value());
  ASSERT_NE(deletion.snapshot, nullptr);
  EXPECT_FALSE(deletion.snapshot->exists);
  EXPECT_TRUE(deletion.snapshot->dedup.find(build::id(9)).has_value());
  rig.written();
  const Batch creation = *rig.batch();
  EXPECT_FALSE(creation.gone);
  EXPECT_EQ(creation.expected, Version{0});
  EXPECT_EQ(creation.after, Version{2});
  EXPECT_FALSE(creation.index_before.has_value());
  EXPECT_EQ(creation.index_after->user, "second");
}

TEST(Engine, ADeletionEndsTheBatchThatItIsIn) {
  EngineRig rig;
  rig.submit(1, create()).submit(2, append({"a"})).submit(3, DeleteConversation{});
  rig.written();
  EXPECT_EQ(rig.batch()->events->size(), 2U);
  EXPECT_TRUE(rig.batch()->gone);
  EXPECT_EQ(rig.batch()->expected, Version{1});
}

TEST(Engine, StoresWhatIsLeftOfADeletedConversationAsState) {
  EngineRig rig;
  rig.submit(1, append_or_create({"a"})).written();
  rig.submit(2, NoteFork{"child", std::nullopt}).written();
  const Id128 child = rig.receipt(2)->fork;
  rig.submit(3, DeleteConversation{}).written().submit(4, ReleaseFork{child});
  ASSERT_TRUE(rig.batch().has_value());
  EXPECT_TRUE(rig.batch()->gone);
  EXPECT_EQ(rig.batch()->expected, Version{0});
  EXPECT_EQ(rig.batch()->after, Version{0});
  EXPECT_TRUE(rig.batch()->snapshot->vanished());
}

TEST(Engine, IndexRowsFollowEachOther) {
  EngineRig rig;
  rig.at(1000).submit(1, create("me"));
  EXPECT_FALSE(rig.batch()->index_before.has_value());
  const auto row = rig.batch()->index_after;
  EXPECT_EQ(row->user, "me");
  EXPECT_EQ(row->last_activity, WallTime{1000});
  UpdateConversation update;
  update.labels_patch = build::Labels{{"k", "v"}};
  update.lifecycle = Lifecycle::archived;
  rig.written().at(2000).submit(2, update);
  EXPECT_EQ(rig.batch()->index_before, row);
  EXPECT_EQ(rig.batch()->index_after->labels.at("k"), "v");
  EXPECT_EQ(rig.batch()->index_after->lifecycle, Lifecycle::archived);
  EXPECT_EQ(rig.batch()->index_after->last_activity, WallTime{2000});
}

TEST(Engine, IndexRowOfALoadedConversationIsWhatWasStored) {
  EngineRig first;
  first.at(5).submit(1, create("me")).written();
  EngineRig second({}, {first.engine().tentative(), {}});
  second.at(9).submit(1, append({"a"}));
  EXPECT_EQ(second.batch()->index_before, index_row(first.engine().tentative()));
}

TEST(Engine, AttachesASnapshotWhenDue) {
  Limits limits;
  limits.snapshot_events = 4;
  EngineRig rig(limits);
  rig.submit(1, create()).written();
  std::vector<uint64_t> with_snapshot;
  for (Ticket ticket = 2; ticket <= 40; ++ticket) {
    rig.submit(ticket, append({"a"}));
    if (rig.batch()->snapshot) {
      with_snapshot.push_back(rig.batch()->after.value);
      EXPECT_EQ(rig.batch()->snapshot->version, rig.batch()->after);
      EXPECT_EQ(*rig.batch()->snapshot, rig.engine().tentative());
      EXPECT_EQ(rig.engine().events_since_snapshot(), 0U);
    }
    rig.written();
  }
  ASSERT_GE(with_snapshot.size(), 2U);
  for (size_t i = 1; i < with_snapshot.size(); ++i) {
    EXPECT_GE(with_snapshot[i] - with_snapshot[i - 1], limits.snapshot_events);
  }
}

TEST(Engine, CountsEventsSinceASnapshotThroughActivations) {
  Limits limits;
  limits.snapshot_events_at_end = 4;
  EngineRig first(limits);
  first.submit(1, create()).written();
  first.submit(2, append({"x"})).written();
  EXPECT_EQ(first.engine().events_since_snapshot(), 2U);
  EXPECT_FALSE(first.engine().snapshot_due_at_end());
  EngineRig second(limits, {first.engine().tentative(), {}, 2});
  EXPECT_FALSE(second.engine().snapshot_due_at_end());
  second.submit(1, append({"y"})).written();
  second.submit(2, append({"z"})).written();
  EXPECT_EQ(second.engine().events_since_snapshot(), 4U);
  EXPECT_TRUE(second.engine().snapshot_due_at_end()) << "each activation added but a few";
}

TEST(Engine, RunsWithoutSnapshotsBelowTheBound) {
  EngineRig rig;
  for (Ticket ticket = 1; ticket <= 20; ++ticket) {
    rig.submit(ticket, append_or_create({"a"}));
    EXPECT_EQ(rig.batch()->snapshot, nullptr);
    rig.written();
  }
  EXPECT_EQ(rig.engine().events_since_snapshot(), 21U);
}

TEST(Engine, KeepsTheHotWindowThroughResetAndPolicy) {
  EngineRig rig;
  CreateConversation small = create();
  small.policy.hot_window_messages = 2;
  rig.submit(1, small).submit(2, append({"a", "b", "c"}));
  ASSERT_EQ(rig.engine().recent().size(), 2U);
  EXPECT_EQ(*rig.engine().recent().all().back().body, "c");
  EXPECT_EQ(rig.engine().recent().all().back().sequence, Sequence{3});
  EXPECT_EQ(rig.engine().recent().all().back().version, Version{2});
  rig.submit(3, ResetConversation{});
  EXPECT_TRUE(rig.engine().recent().empty());
  rig.submit(4, append({"d"})).submit(5, DeleteConversation{});
  EXPECT_TRUE(rig.engine().recent().empty());
}

TEST(Engine, StartsWithTheMessagesLoaded) {
  State state;
  {
    build::Conversation talk;
    talk.must(append_or_create({"a", "b"}));
    state = talk.state();
  }
  EngineRig rig({}, {state,
                     {{{1}, {2}, {}, Role::user, build::body("a")},
                      {{2}, {2}, {}, Role::user, build::body("b")}}});
  EXPECT_EQ(rig.engine().recent().size(), 2U);
  EXPECT_EQ(rig.engine().durable(), Version{2});
  rig.submit(1, append({"c"}));
  EXPECT_EQ(rig.batch()->expected, Version{2});
  EXPECT_EQ(rig.engine().recent().size(), 3U);
}

TEST(Engine, AnswersReadsOfWhatIsNotThere) {
  EngineRig rig;
  rig.query(1);
  EXPECT_TRUE(rig.refused(1, Reason::conversation_not_found));
  rig.submit(2, create()).written().query(3, 2);
  EXPECT_TRUE(rig.refused(3, Reason::version_not_reached));
  rig.query(4, 1);
  EXPECT_TRUE(rig.receipt(4).has_value());
}

TEST(Engine, AnswersAtOnceWhatChangesNothing) {
  EngineRig rig;
  rig.submit(1, DeleteConversation{.allow_missing = true});
  EXPECT_EQ(rig.receipt(1)->version, Version{0});
  EXPECT_TRUE(rig.all<Append>().empty());
}

TEST(Engine, StampsItsEpochOnWhatItHandsOver) {
  EngineRig rig({}, {}, {{42}, SteadyTime::never()});
  rig.submit(1, create());
  EXPECT_EQ(rig.all<Append>()[0].epoch, Epoch{42});
}

TEST(Engine, CountsItsMemory) {
  EngineRig rig;
  const size_t empty = rig.engine().memory_bytes();
  rig.submit(1, append_or_create({std::string(10'000, 'x')})).written();
  EXPECT_GE(rig.engine().memory_bytes(), empty + 10'000);
}

}  // namespace
}  // namespace parley
