#include "storage/forgetting.hpp"

#include <chrono>

#include <gtest/gtest.h>

#include "tests/storage/local_fixture.hpp"

namespace parley::test {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;

class Forgets : public LocalFixture {
 protected:
  void SetUp() override { open(); }

  /// Deleted, and not in use any more.
  Driver deleted(const std::string& thread) {
    Driver talk = opened(thread);
    talk.append_numbered(1);
    EXPECT_EQ(talk.run({DeleteConversation{}}, Driver::fresh_id()), WriteOutcome::committed);
    journal_->release(talk.key());
    return talk;
  }
  /// What would be answered with where the deletion is repeated.
  State left_of(const Driver& talk) {
    const State left = opened(talk.key().thread).state();
    journal_->release(talk.key());
    return left;
  }
};

TEST_F(Forgets, WhatIsLeftOfTheDeletedOnceRetriesAreOver) {
  const Driver gone = deleted("gone");
  Driver again = opened("again");
  again.append_numbered(1);
  ASSERT_EQ(again.run({DeleteConversation{}}, Driver::fresh_id()), WriteOutcome::committed);
  again.append_numbered(1);
  journal_->release(again.key());
  ASSERT_TRUE(journal_->purge(hours(100)).ok());  // meets them for the first time
  ASSERT_TRUE(journal_->purge(hours(23)).ok());
  EXPECT_EQ(left_of(gone), gone.state());
  ASSERT_TRUE(journal_->purge(hours(1)).ok());
  EXPECT_EQ(left_of(gone), State{});
  EXPECT_EQ(left_of(again), again.state());
  EXPECT_TRUE(journal_->verify({})->problems.empty());
}

TEST_F(Forgets, NothingForAWallClockThatJumps) {
  Driver::clock_micros -= microseconds(hours(100)).count();
  const Driver long_ago = deleted("long-ago");
  Driver::clock_micros += microseconds(hours(200)).count();
  const Driver some_day = deleted("some-day");
  ASSERT_TRUE(journal_->purge(hours(1)).ok());
  ASSERT_TRUE(journal_->purge(hours(1)).ok());
  EXPECT_EQ(left_of(long_ago), long_ago.state());
  EXPECT_EQ(left_of(some_day), some_day.state());
  ASSERT_TRUE(journal_->purge(hours(24)).ok());
  EXPECT_EQ(left_of(long_ago), State{});
  EXPECT_EQ(left_of(some_day), State{});
}

TEST_F(Forgets, ALaterDeletionByItsOwnTime) {
  Driver talk = deleted("talk");
  ASSERT_TRUE(journal_->purge(hours(0)).ok());
  talk = deleted("talk");
  ASSERT_TRUE(journal_->purge(hours(20)).ok());
  ASSERT_TRUE(journal_->purge(hours(5)).ok());  // the first one's time is over
  EXPECT_EQ(left_of(talk), talk.state());
  ASSERT_TRUE(journal_->purge(hours(19)).ok());
  EXPECT_EQ(left_of(talk), State{});
}

TEST_F(Forgets, ManyAPartAtATime) {
  constexpr int k_many = 4'500;
  for (int i = 0; i < k_many; ++i) deleted(std::to_string(i));
  for (const hours passed : {hours(0), hours(25)}) {
    // Each part asks for the next one, which comes behind whatever waits for it.
    ASSERT_TRUE(journal_->purge(passed).ok());
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(journal_->settle().ok());
  }
  for (const int i : {0, 2'000, k_many - 1}) {
    EXPECT_EQ(opened(std::to_string(i)).state(), State{}) << i;
  }
}

TEST_F(Forgets, ByTheTimeThatTheStoreWasInUse) {
  const Driver gone = deleted("gone");
  ASSERT_TRUE(journal_->purge(hours(0)).ok());
  ASSERT_TRUE(journal_->purge(hours(20)).ok());
  ASSERT_TRUE(journal_->flush().ok());
  close();
  open();
  EXPECT_EQ(left_of(gone), gone.state());
  ASSERT_TRUE(journal_->purge(hours(5)).ok());
  EXPECT_EQ(left_of(gone), State{});
}

}  // namespace
}  // namespace parley::test
