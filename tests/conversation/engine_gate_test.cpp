#include <gtest/gtest.h>

#include "tests/conversation/engine_rig.hpp"

/// What waits at the engine's gate, and what happens to it when writing fails or ownership ends.
namespace parley {
namespace {

using build::append;
using build::append_or_create;
using build::create;
using build::expecting;
using build::request;

TEST(Engine, WithholdsAnAnswerUntilItIsWritten) {
  EngineRig rig;
  rig.submit(1, create());
  EXPECT_EQ(rig.all<Append>().size(), 1U);
  EXPECT_TRUE(rig.all<Answer>().empty());
  rig.written();
  EXPECT_EQ(rig.receipt(1)->version, Version{1});
  EXPECT_EQ(rig.all<Publish>().size(), 1U);
}

TEST(Engine, TellsTheWatchersBeforeTheCaller) {
  EngineRig rig;
  rig.submit(1, create()).written();
  ASSERT_EQ(rig.out().size(), 2U);
  EXPECT_TRUE(std::holds_alternative<Publish>(rig.out()[0]));
  EXPECT_TRUE(std::holds_alternative<Answer>(rig.out()[1]));
}

TEST(Engine, RendersAReadAtOnceAndAnswersItWhenDurable) {
  EngineRig rig;
  rig.submit(1, append_or_create({"a"})).query(2);
  ASSERT_EQ(rig.all<Render>().size(), 1U);
  EXPECT_EQ(rig.all<Render>()[0].ticket, 2U);
  EXPECT_FALSE(rig.answer(2).has_value());
  rig.written();
  EXPECT_EQ(rig.receipt(2)->version, Version{2});
}

TEST(Engine, AnswersAReadAtOnceWhenAllIsDurable) {
  EngineRig rig;
  rig.submit(1, create()).written().query(2);
  ASSERT_EQ(rig.out().size(), 2U);
  EXPECT_TRUE(std::holds_alternative<Render>(rig.out()[0]));
  EXPECT_EQ(rig.receipt(2)->version, Version{1});
}

TEST(Engine, AReadWaitsForEverythingItMayReveal) {
  EngineRig rig;
  rig.submit(1, create()).submit(2, append({"a"})).query(3);
  rig.written();
  EXPECT_TRUE(rig.receipt(1).has_value());
  EXPECT_FALSE(rig.answer(3).has_value());
  rig.written();
  EXPECT_EQ(rig.receipt(3)->version, Version{2});
}

TEST(Engine, RefusalsAndRepetitionsWaitToo) {
  EngineRig rig;
  rig.submit(1, create(), request(1));
  rig.submit(2, create());
  EXPECT_TRUE(rig.out().empty());
  rig.submit(3, append({"a"}), expecting(7));
  EXPECT_TRUE(rig.out().empty());
  rig.submit(4, create(), request(1));
  EXPECT_TRUE(rig.out().empty());
  rig.query(5, 9);
  EXPECT_TRUE(rig.out().empty());
  rig.written();
  EXPECT_TRUE(rig.refused(2, Reason::conversation_exists));
  EXPECT_TRUE(rig.refused(3, Reason::version_mismatch));
  EXPECT_EQ(rig.receipt(4), rig.receipt(1));
  EXPECT_TRUE(rig.refused(5, Reason::version_not_reached));
  EXPECT_TRUE(rig.all<Answer>()[3].replayed);
  EXPECT_FALSE(rig.all<Answer>()[0].replayed);
}

TEST(Engine, AnswersWithinABatchComeInTheOrderOfTheCalls) {
  EngineRig rig;
  rig.submit(1, create());
  for (Ticket ticket = 2; ticket <= 9; ++ticket) {
    if (ticket % 3 == 0) {
      rig.query(ticket);
    } else {
      rig.submit(ticket, append({"a"}));
    }
  }
  rig.written().written();
  const auto answers = rig.all<Answer>();
  ASSERT_EQ(answers.size(), 8U);
  for (size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i].ticket, i + 2);
}

struct FailureCase {
  WriteOutcome outcome;
  Failure of_the_batch;   ///< what calls are told whose events were handed over
  Failure of_the_others;  ///< what the rest are told: nothing was done
  Failure abandon;
};

TEST(Engine, TellsEachCallWhatMayHaveBecomeOfItWhenAWriteFails) {
  const std::vector<FailureCase> cases = {
      {WriteOutcome::fenced, Failure::not_owner, Failure::not_owner, Failure::not_owner},
      {WriteOutcome::conflict, Failure::not_written, Failure::not_written, Failure::not_written},
      {WriteOutcome::not_written, Failure::not_written, Failure::not_written, Failure::not_written},
      {WriteOutcome::unknown, Failure::unknown, Failure::not_written, Failure::unknown},
  };
  for (const auto& expected : cases) {
    EngineRig rig;
    rig.submit(1, create());          // under way
    rig.submit(2, append({"next"}));  // in the next batch
    rig.query(3);
    rig.written(expected.outcome);
    EXPECT_TRUE(rig.failed(1, expected.of_the_batch));
    EXPECT_TRUE(rig.failed(2, expected.of_the_others));
    EXPECT_TRUE(rig.failed(3, expected.of_the_others));
    ASSERT_EQ(rig.all<Abandon>().size(), 1U);
    EXPECT_EQ(rig.all<Abandon>()[0].failure, expected.abandon);
    EXPECT_TRUE(std::holds_alternative<Abandon>(rig.out().back()));
    EXPECT_TRUE(rig.all<Append>().empty());
    EXPECT_TRUE(rig.all<Publish>().empty());
    EXPECT_TRUE(rig.engine().abandoned());
    EXPECT_TRUE(rig.engine().quiescent());
    // Later calls are told that nothing was done, without another Abandon.
    rig.submit(4, append({"late"}));
    EXPECT_TRUE(rig.failed(4, expected.of_the_others));
    EXPECT_EQ(rig.out().size(), 1U);
    rig.query(5);
    EXPECT_TRUE(rig.failed(5, expected.of_the_others));
    EXPECT_TRUE(rig.written().out().empty());
    EXPECT_TRUE(rig.owns(9).out().empty());
  }
}

TEST(Engine, RenewedOwnershipOfTheSameEpochChangesNothing) {
  EngineRig rig;
  rig.submit(1, create()).owns(1, 50);
  EXPECT_TRUE(rig.out().empty());
  rig.at(49).written();
  EXPECT_TRUE(rig.receipt(1).has_value());
}

TEST(Engine, AnotherEpochEndsTheActivation) {
  EngineRig rig;
  rig.submit(1, create()).written().owns(2);
  ASSERT_EQ(rig.out().size(), 1U);
  EXPECT_EQ(rig.all<Abandon>()[0].failure, Failure::not_owner);
  rig.query(2);
  EXPECT_TRUE(rig.failed(2, Failure::not_owner));
}

// The write may have reached storage before the epoch rose: "nothing was done" would be a lie.
TEST(Engine, AnotherEpochLeavesABatchUnderWayUnknown) {
  EngineRig rig;
  rig.submit(1, create()).submit(2, append({"next"})).query(3).owns(2);
  EXPECT_TRUE(rig.failed(1, Failure::unknown));
  EXPECT_TRUE(rig.failed(2, Failure::not_owner));
  EXPECT_TRUE(rig.failed(3, Failure::not_owner));
}

TEST(Engine, ReadsRefusalsAndRepetitionsNeedTheLease) {
  EngineRig rig;
  rig.submit(1, create(), request(1)).written().owns(1, 100);
  rig.at(99).query(2);
  EXPECT_TRUE(rig.receipt(2).has_value());
  rig.at(100).query(3);
  EXPECT_TRUE(rig.failed(3, Failure::not_owner));
  rig.submit(4, create());
  EXPECT_TRUE(rig.failed(4, Failure::not_owner));
  rig.submit(5, create(), request(1));
  EXPECT_TRUE(rig.failed(5, Failure::not_owner));
  rig.submit(6, DeleteConversation{.allow_missing = true}, expecting(0));
  EXPECT_TRUE(rig.failed(6, Failure::not_owner));
  EXPECT_FALSE(rig.engine().abandoned());
}

TEST(Engine, TestsTheLeaseWhenAnsweringNotWhenAsked) {
  EngineRig rig;
  rig.owns(1, 100);
  rig.at(10).submit(1, create()).query(2).submit(3, create());
  rig.at(200).written();
  EXPECT_TRUE(rig.receipt(1).has_value()) << "storage accepted it under this epoch";
  EXPECT_TRUE(rig.failed(2, Failure::not_owner));
  EXPECT_TRUE(rig.failed(3, Failure::not_owner));
}

TEST(Engine, AnswersAgainOnceTheLeaseIsRenewed) {
  EngineRig rig;
  rig.submit(1, create()).written().owns(1, 100).at(150).query(2);
  EXPECT_TRUE(rig.failed(2, Failure::not_owner));
  rig.owns(1, 300).query(3);
  EXPECT_TRUE(rig.receipt(3).has_value());
}

TEST(Engine, BoundsTheCallsThatWait) {
  Limits limits;
  limits.waiting_calls = 3;
  EngineRig rig(limits);
  rig.submit(1, create()).submit(2, append({"a"})).query(3);
  rig.submit(4, append({"b"}));
  EXPECT_TRUE(rig.refused(4, Reason::too_many_waiting));
  rig.query(5);
  EXPECT_TRUE(rig.refused(5, Reason::too_many_waiting));
  EXPECT_TRUE(rig.all<Render>().empty());
  rig.written().submit(6, append({"c"}));
  EXPECT_TRUE(rig.out().empty());
  rig.written();
  EXPECT_EQ(rig.engine().tentative().last_sequence, Sequence{2});
}

}  // namespace
}  // namespace parley
