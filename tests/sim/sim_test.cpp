#include <gtest/gtest.h>

#include "tests/sim/mutants.hpp"
#include "tests/sim/world.hpp"

namespace parley::sim {
namespace {

std::string told(const RunResult& result, uint64_t seed) {
  return "seed " + std::to_string(seed) + ": " + result.violation->invariant +
         " broken: " + result.violation->what + "; replay it with parley_sim --seed " +
         std::to_string(seed);
}

TEST(Simulation, SameSeedSameRun) {
  for (const uint64_t seed : {1U, 2U, 77U, 1234U}) {
    RunOptions options{.seed = seed};
    const RunResult first = World(options).run();
    options.verbose = true;
    const RunResult second = World(options).run();
    EXPECT_EQ(first.trace_hash, second.trace_hash);
    EXPECT_EQ(first.stats.steps, second.stats.steps);
    options.seed = seed + 1;
    EXPECT_NE(first.trace_hash, World(options).run().trace_hash);
  }
}

TEST(Simulation, KeepsAllInvariants) {
  Stats stats;
  for (uint64_t seed = 1; seed <= 5000; ++seed) {
    const RunResult result = World({.seed = seed}).run();
    ASSERT_FALSE(result.violation.has_value()) << told(result, seed);
    stats += result.stats;
  }
  // Void where too little came up.
  EXPECT_GT(stats.acked, 150'000U);
  EXPECT_GT(stats.reads, 40'000U);
  EXPECT_GT(stats.replayed, 10'000U);
  EXPECT_GT(stats.take_overs, 20'000U);
  EXPECT_GT(stats.fenced, 2'000U);
  EXPECT_GT(stats.unproven, 10'000U);
  EXPECT_GT(stats.fork_reads, 2'000U);
  EXPECT_GT(stats.forks, 1'500U);
  EXPECT_GT(stats.releases, 500U);
  EXPECT_GT(stats.resumed, 50'000U);
}

class EachMutant : public testing::TestWithParam<Mutant> {};

TEST_P(EachMutant, IsFoundOrIsCoveredByAnotherGuard) {
  const Mutant& mutant = GetParam();
  const uint64_t seeds = mutant.found_within == 0 ? 1500 : mutant.found_within;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const RunResult result = World({.seed = seed, .mutations = mutant.mutations}).run();
    if (!result.violation) continue;
    ASSERT_NE(mutant.found_within, 0U) << told(result, seed) << " --mutant " << mutant.name;
    return;
  }
  ASSERT_EQ(mutant.found_within, 0U) << "not found within " << seeds << " seeds";
}

INSTANTIATE_TEST_SUITE_P(Mutants, EachMutant, testing::ValuesIn(mutants()),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace parley::sim
