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
