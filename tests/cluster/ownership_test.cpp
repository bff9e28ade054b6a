#include "cluster/ownership.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/baton_world.hpp"

namespace parley {
namespace {

constexpr int k_steps = 4'000;
#ifdef PARLEY_SANITIZED
constexpr uint64_t k_seeds = 600;
#else
constexpr uint64_t k_seeds = 6'000;
#endif

TEST(Baton, IsNeverInTwoHandsAndLosesNothingWhateverHappens) {
  int64_t passes = 0;
  int64_t crashes = 0;
  for (uint64_t seed = 1; seed <= k_seeds; ++seed) {
    BatonWorld world(seed, BatonMutant::none);
    ASSERT_EQ(world.run(k_steps), "") << "seed " << seed;
    passes += world.passes();
    crashes += world.crashes();
  }
  // A run in which little happened shows nothing.
  EXPECT_GT(passes, static_cast<int64_t>(k_seeds));
  EXPECT_GT(crashes, static_cast<int64_t>(3 * k_seeds));
}

template <class Output>
int count(const Baton::Outputs& outputs) {
  int found = 0;
  for (const auto& output : outputs) found += std::holds_alternative<Output>(output) ? 1 : 0;
  return found;
}

const NodeName k_taker{"b"};

/// One that gives its shard to that node, and may send rows: attempt 8.
Baton giver(SteadyTime now, Baton::Outputs& out) {
  Baton baton({"a"}, {Holding::Kind::owned, {1}, {}, 0}, {});
  baton.start(now, out);
  baton.want(k_taker, 7, now, out);
  baton.receive(k_taker, baton::Accept{8}, now, out);
  return baton;
}

/// A node that died when it had nearly everything: its giver would hold calls in vain, again and
/// again.
TEST(Baton, HoldsCallsOnceForATakerThatSaysNothingMore) {
  SteadyTime now{1'000'000};
  Baton::Outputs out;
  Baton baton = giver(now, out);
  baton.readable(8, 2, true, now, out);
  baton.receive(k_taker, baton::Kept{8, 2, false, true}, now, out);
  EXPECT_EQ(count<baton::HoldCalls>(out), 1);
  baton.held(1, 3, now, out);
  out.clear();
  const SteadyTime said = now;
  for (; now.micros < 20'000'000; now.micros += 10'000) baton.tick(now, out);
  EXPECT_EQ(count<baton::ResumeCalls>(out), 1);
  EXPECT_EQ(count<baton::HoldCalls>(out), 0);
  EXPECT_TRUE(baton.serving());
  EXPECT_EQ(baton.answered(), said);
  // It is back: what it lacks is sent, and then it is tried again.
  baton.receive(k_taker, baton::Kept{8, 3, false}, now, out);
  EXPECT_EQ(count<baton::HoldCalls>(out), 1);
}

/// Found by faults: what a taker that lacked a letter said of others doubled with each answer,
/// until letters were all that two nodes had for each other.
TEST(Baton, SaysTheEndOnceHoweverOftenItIsAnswered) {
  SteadyTime now{1'000'000};
  Baton::Outputs out;
  Baton baton = giver(now, out);
  baton.readable(8, 2, true, now, out);
  baton.receive(k_taker, baton::Kept{8, 0, false, true}, now, out);
  ASSERT_EQ(count<baton::HoldCalls>(out), 1);
  out.clear();
  baton.held(1, 3, now, out);
  EXPECT_EQ(count<baton::Send>(out), 1);
  out.clear();
  // The first letter was lost, so that the taker cannot go on.
  for (int i = 0; i < 10; ++i) {
    baton.receive(k_taker, baton::Kept{8, 1, false}, now, out);
    baton.readable(8, 3, true, now, out);
  }
  EXPECT_EQ(count<baton::Send>(out), 0);
  // When nothing more comes it is said again, from what the taker has.
  now.micros += BatonLimits{}.patience_micros;
  baton.tick(now, out);
  ASSERT_EQ(count<baton::Send>(out), 1);
  const auto& again = std::get<baton::Rows>(std::get<baton::Send>(out.back()).message);
  EXPECT_EQ(again.first, 2U);
  EXPECT_EQ(again.last, 3U);
  EXPECT_TRUE(again.end);
}

/// What is durable before need not be waited for while calls are held.
TEST(Baton, HasTheTakerFlushBeforeItHoldsCalls) {
  SteadyTime now{1'000'000};
  Baton::Outputs out;
  Baton baton = giver(now, out);
  out.clear();
  baton.readable(8, 2, true, now, out);
  EXPECT_EQ(count<baton::Send>(out), 1);
  EXPECT_EQ(count<baton::PutIdleAway>(out), 1) << "what that writes is to be flushed, too";
  baton.tick(now, out);
  ASSERT_EQ(count<baton::Send>(out), 2);
  EXPECT_TRUE(std::get<baton::Rows>(std::get<baton::Send>(out.back()).message).nearly);
  baton.receive(k_taker, baton::Kept{8, 2, false, false}, now, out);
  EXPECT_EQ(count<baton::HoldCalls>(out), 0);
  EXPECT_EQ(count<baton::Send>(out), 2) << "it is said once, while the taker is at it";
  // That letter got lost, and others are answered all the while.
  for (uint64_t last = 3; last < 6; ++last) {
    baton.readable(8, last, true, now, out);
    EXPECT_TRUE(std::get<baton::Rows>(std::get<baton::Send>(out.back()).message).nearly);
    baton.receive(k_taker, baton::Kept{8, last, false, false}, now, out);
  }
  baton.receive(k_taker, baton::Kept{8, 5, false, true}, now, out);
  EXPECT_EQ(count<baton::HoldCalls>(out), 1);
  EXPECT_EQ(count<baton::PutIdleAway>(out), 1);

  Baton other(k_taker, {Holding::Kind::absent, {1}, {"a"}, 0}, {});
  Baton::Outputs theirs;
  other.start(now, theirs);
  other.receive({"a"}, baton::Offer{{2}, 8}, now, theirs);
  other.receive({"a"}, baton::Rows{8, 1, 2, false, 0}, now, theirs);
  EXPECT_EQ(count<baton::Flush>(theirs), 0);
  for (int i = 0; i < 3; ++i) {
    other.receive({"a"}, baton::Rows{8, 3, 2, false, 0, true}, now, theirs);
    EXPECT_TRUE(std::get<baton::Kept>(std::get<baton::Send>(theirs.back()).message).flushed);
    EXPECT_EQ(count<baton::Flush>(theirs), 1) << "however often it is said";
  }
  theirs.clear();
  other.receive({"a"}, baton::Rows{8, 3, 3, true, 2}, now, theirs);
  EXPECT_EQ(count<baton::Flush>(theirs), 1);
  EXPECT_TRUE(std::get<baton::Kept>(std::get<baton::Send>(theirs.back()).message).complete);
  // Calls go on there: these rows are durable when it is said again that they are all.
  theirs.clear();
  other.receive({"a"}, baton::Rows{8, 4, 4, false, 3}, now, theirs);
  EXPECT_EQ(count<baton::Flush>(theirs), 0);
  EXPECT_FALSE(std::get<baton::Kept>(std::get<baton::Send>(theirs.back()).message).complete);
  other.receive({"a"}, baton::Rows{8, 5, 4, true, 3}, now, theirs);
  EXPECT_EQ(count<baton::Flush>(theirs), 1);
  EXPECT_TRUE(std::get<baton::Kept>(std::get<baton::Send>(theirs.back()).message).complete);
}

/// Found by faults: a disk that took half a second a sync never had the end durable in the time
/// that calls were held for, however often it was tried.
TEST(Baton, HoldsCallsLongerForATakerThatIsSlow) {
  const BatonLimits limits;
  SteadyTime now{1'000'000};
  Baton::Outputs out;
  Baton baton = giver(now, out);
  baton.readable(8, 2, true, now, out);
  baton.receive(k_taker, baton::Kept{8, 2, false, true}, now, out);
  std::vector<int64_t> held;
  for (uint64_t number = 1; number <= 7; ++number) {
    while (count<baton::HoldCalls>(out) == 0) {
      now.micros += 1'000;
      baton.tick(now, out);
    }
    out.clear();
    baton.held(number, 2, now, out);
    const int64_t since = now.micros;
    while (count<baton::ResumeCalls>(out) == 0) {
      now.micros += 1'000;
      baton.tick(now, out);
    }
    held.push_back(now.micros - since);
    out.clear();
    baton.receive(k_taker, baton::Kept{8, 2, false, true}, now, out);
  }
  EXPECT_THAT(held, testing::ElementsAre(200'000, 400'000, 800'000, 1'600'000, 3'200'000, 6'400'000,
                                         limits.held_micros_max));
}

class BatonMutants : public ::testing::TestWithParam<BatonMutant> {};

TEST_P(BatonMutants, AreFound) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    if (!BatonWorld(seed, GetParam()).run(k_steps).empty()) return;
  }
  FAIL() << "the checks miss it";
}

INSTANTIATE_TEST_SUITE_P(All, BatonMutants,
                         ::testing::Values(BatonMutant::forgets_record,
                                           BatonMutant::serves_while_held,
                                           BatonMutant::keeps_old_rows,
                                           BatonMutant::serves_after_giving,
                                           BatonMutant::never_flushes));

}  // namespace
}  // namespace parley
