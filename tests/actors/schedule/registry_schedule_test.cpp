#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/actors/schedule/run.hpp"
#include "tests/support/number_from.hpp"

namespace parley::schedule {
namespace {

/// What a crash of the process says first: the seed that did it.
std::array<char, 64> under_way{};

void tell_seed(int signal) {
  static_cast<void>(!write(STDERR_FILENO, under_way.data(), under_way.size()));
  static_cast<void>(std::signal(signal, SIG_DFL));
  static_cast<void>(std::raise(signal));
}

RunResult run_seed(const RunOptions& options) {
  std::snprintf(under_way.data(), under_way.size(), "\nPARLEY_SEED=%llu crashed\n",
                static_cast<unsigned long long>(options.seed));
  static_cast<void>(std::signal(SIGABRT, tell_seed));
#ifndef PARLEY_SANITIZED
  static_cast<void>(std::signal(SIGSEGV, tell_seed));
#endif
  RunResult result = run(options);
  static_cast<void>(std::signal(SIGABRT, SIG_DFL));
#ifndef PARLEY_SANITIZED
  static_cast<void>(std::signal(SIGSEGV, SIG_DFL));
#endif
  return result;
}

std::string told(const RunOptions& options, const RunResult& result) {
  const std::string seed = std::to_string(options.seed);
  std::string text = "seed " + seed + ": " + *result.violation +
                     "; once more, with its trace: PARLEY_SEED=" + seed + "\n";
  for (const std::string& line : result.lines) text += line + "\n";
  return text;
}

TEST(Schedule, SameSeedSameRun) {
  for (const uint64_t seed : {1U, 2U, 77U, 1234U}) {
    const RunResult first = run_seed({.seed = seed});
    EXPECT_EQ(first.trace_hash, run_seed({.seed = seed, .verbose = true}).trace_hash);
    EXPECT_NE(first.trace_hash, run_seed({.seed = seed + 1}).trace_hash);
  }
}

/// PARLEY_SEED: this one, with its trace. PARLEY_SEEDS: so many, from PARLEY_SEED on.
TEST(Schedule, KeepsAllInvariantsInEveryOrder) {
  const uint64_t first = test::number_from("PARLEY_SEED", 1);
  const uint64_t seeds = test::number_from("PARLEY_SEEDS", first == 1 ? 5000 : 1);
  Stats stats;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const RunOptions options{.seed = seed, .verbose = seeds == 1};
    const RunResult result = run_seed(options);
    ASSERT_FALSE(result.violation.has_value()) << told(options, result);
    stats += result.stats;
  }
  if (seeds < 5000) return;
  // Void where too little came up.
  EXPECT_GT(stats.acked, 100'000U);
  EXPECT_GT(stats.replayed, 10'000U);
  EXPECT_GT(stats.failed, 30'000U);
  EXPECT_GT(stats.reads, 50'000U);
  EXPECT_GT(stats.deliveries, 30'000U);
  EXPECT_GT(stats.looked_back, 15'000U);
  EXPECT_GT(stats.fenced, 3'000U);
  EXPECT_GT(stats.unknown, 800U);
  EXPECT_GT(stats.refused_writes, 4'000U);
  EXPECT_GT(stats.activations, 40'000U);
  EXPECT_GT(stats.incarnations, 20'000U);
  EXPECT_GT(stats.forks, 2'000U);
  EXPECT_GT(stats.jobs_out_of_turn, 150'000U);
}

/// What found a bug once, in the order of the fixes: a watcher's question that waited for the next
/// activation stayed for ever, an activation ended before its write came back, a watcher that had
/// read storage was told that it was ahead of the conversation (twice).
TEST(Schedule, KeepsWhatItsSeedsFound) {
  for (const uint64_t seed : {34U, 68U, 171U, 172U}) {
    const RunOptions options{.seed = seed};
    const RunResult result = run_seed(options);
    EXPECT_FALSE(result.violation.has_value()) << told(options, result);
  }
}

struct Control {
  Lie lie;
  const char* name;
  const char* found_as;  ///< how one of its findings begins
};

class EachLie : public testing::TestWithParam<Control> {};

TEST_P(EachLie, IsFound) {
  constexpr uint64_t k_seeds = 60;
  std::string findings;
  for (uint64_t seed = 1; seed <= k_seeds; ++seed) {
    const RunResult result = run_seed({.seed = seed, .lie = GetParam().lie});
    if (!result.violation) continue;
    if (result.violation->rfind(GetParam().found_as, 0) == 0) return;
    findings += std::to_string(seed) + ": " + *result.violation + "\n";
  }
  FAIL() << "not found within " << k_seeds << " seeds; found instead:\n" << findings;
}

INSTANTIATE_TEST_SUITE_P(
    Lies, EachLie,
    testing::Values(
        Control{Lie::tells_before_keeping, "TellsBeforeKeeping", "I1: acknowledged before"},
        Control{Lie::keeps_nothing, "KeepsNothing", "I1: acknowledged and lost"},
        Control{Lie::swaps_two, "SwapsTwo", "I1: acknowledged with another receipt"},
        Control{Lie::denies_what_it_keeps, "DeniesWhatItKeeps", "I3: there, but"},
        Control{Lie::commits_what_it_fences, "CommitsWhatItFences", "I1: acknowledged and lost"},
        Control{Lie::loses_a_wakeup, "LosesAWakeup", "a call was never answered"},
        Control{Lie::skips_in_history, "SkipsInHistory", "I6"}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace parley::schedule
