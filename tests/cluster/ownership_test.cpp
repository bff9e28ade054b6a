#include "cluster/ownership.hpp"

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

/// A node that died when it had nearly everything: its giver would hold calls in vain, again and
/// again.
TEST(Baton, HoldsCallsOnceForATakerThatSaysNothingMore) {
  const BatonLimits limits;
  const NodeName taker{"b"};
  SteadyTime now{1'000'000};
  Baton baton({"a"}, {Holding::Kind::owned, {1}, {}, 0}, limits);
  Baton::Outputs out;
  baton.start(now, out);
  baton.want(taker, 7, now, out);
  baton.receive(taker, baton::Accept{8}, now, out);
  baton.readable(8, 2, true, now, out);
  baton.receive(taker, baton::Kept{8, 2, false}, now, out);
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
  baton.receive(taker, baton::Kept{8, 3, false}, now, out);
  EXPECT_EQ(count<baton::HoldCalls>(out), 1);
}

/// Found by faults: what a taker that lacked a letter said of others doubled with each answer,
/// until letters were all that two nodes had for each other.
TEST(Baton, SaysTheEndOnceHoweverOftenItIsAnswered) {
  const NodeName taker{"b"};
  SteadyTime now{1'000'000};
  Baton baton({"a"}, {Holding::Kind::owned, {1}, {}, 0}, {});
  Baton::Outputs out;
  baton.start(now, out);
  baton.want(taker, 7, now, out);
  baton.receive(taker, baton::Accept{8}, now, out);
  baton.readable(8, 2, true, now, out);
  ASSERT_EQ(count<baton::HoldCalls>(out), 1);
  out.clear();
  baton.held(1, 3, now, out);
  EXPECT_EQ(count<baton::Send>(out), 1);
  out.clear();
  // The first letter was lost, so that the taker cannot go on.
  for (int i = 0; i < 10; ++i) {
    baton.receive(taker, baton::Kept{8, 1, false}, now, out);
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
                                           BatonMutant::serves_after_giving));

}  // namespace
}  // namespace parley
