#include <gtest/gtest.h>

#include "tests/sim/shared/mutants.hpp"
#include "tests/sim/shared/shared_world.hpp"

namespace parley::sim::shared {
namespace {

std::string told(const RunResult& result, uint64_t seed) {
  return "seed " + std::to_string(seed) + ": " + result.violation->invariant +
         " broken: " + result.violation->what +
         "; replay it with parley_sim --world shared --seed " + std::to_string(seed);
}

TEST(SharedSimulation, SameSeedSameRun) {
  for (const uint64_t seed : {1U, 2U, 77U, 1234U}) {
    RunOptions options{.seed = seed};
    const RunResult first = SharedWorld(options).run();
    options.verbose = true;
    const RunResult second = SharedWorld(options).run();
    EXPECT_EQ(first.trace_hash, second.trace_hash);
    EXPECT_EQ(first.stats.steps, second.stats.steps);
    options.seed = seed + 1;
    EXPECT_NE(first.trace_hash, SharedWorld(options).run().trace_hash);
  }
}

TEST(SharedSimulation, KeepsAllInvariants) {
  Stats stats;
  for (uint64_t seed = 1; seed <= 800; ++seed) {
    const RunResult result = SharedWorld({.seed = seed}).run();
    ASSERT_FALSE(result.violation.has_value()) << told(result, seed);
    stats += result.stats;
  }
  // Void where too little came up.
  EXPECT_GT(stats.acked, 100'000U);
  EXPECT_GT(stats.reads, 150'000U);
  EXPECT_GT(stats.unproven, 8'000U);
  EXPECT_GT(stats.fenced, 500U);
  EXPECT_GT(stats.raised, 1'000U);
  EXPECT_GT(stats.served, 15'000U);
  EXPECT_GT(stats.gives, 5'000U);
  EXPECT_GT(stats.burials, 4'000U);
  EXPECT_GT(stats.reborn, 1'500U);
  EXPECT_GT(stats.late, 2'000U);
  EXPECT_GT(stats.doubles, 500U);
}

class EachSharedMutant : public testing::TestWithParam<Mutant> {};

TEST_P(EachSharedMutant, IsFoundOrIsCoveredByAnotherGuard) {
  const Mutant& mutant = GetParam();
  const uint64_t seeds = mutant.found_within == 0 ? 300 : mutant.found_within;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const RunResult result = SharedWorld({.seed = seed, .mutations = mutant.mutations}).run();
    if (!result.violation) continue;
    ASSERT_NE(mutant.found_within, 0U) << told(result, seed) << " --mutant " << mutant.name;
    return;
  }
  ASSERT_EQ(mutant.found_within, 0U) << "not found within " << seeds << " seeds";
}

INSTANTIATE_TEST_SUITE_P(Mutants, EachSharedMutant, testing::ValuesIn(mutants()),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace parley::sim::shared
