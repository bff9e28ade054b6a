#include <chrono>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "tests/sim/mutants.hpp"
#include "tests/sim/world.hpp"

namespace parley::sim {
namespace {

constexpr size_t k_trace_tail = 40;

void print(const RunResult& result, const RunOptions& options, bool whole_trace) {
  const size_t size = result.trace.size();
  const size_t from = whole_trace || size < k_trace_tail ? 0 : size - k_trace_tail;
  for (size_t i = from; i < size; ++i) std::printf("  %s\n", result.trace[i].c_str());
  std::printf("seed %llu: trace %016llx, %llu steps: %s\n",
              static_cast<unsigned long long>(options.seed),
              static_cast<unsigned long long>(result.trace_hash),
              static_cast<unsigned long long>(result.stats.steps),
              result.violation
                  ? (result.violation->invariant + " broken: " + result.violation->what).c_str()
                  : "holds");
}

void print(const Stats& stats, double seconds) {
  const auto count = [](uint64_t number) { return static_cast<unsigned long long>(number); };
  std::printf("%llu runs, %llu steps in %.2f s (%.0f runs/s)\n", count(stats.runs),
              count(stats.steps), seconds, static_cast<double>(stats.runs) / seconds);
  std::printf("acknowledged %llu, replayed %llu, reads %llu, refused %llu, unknown %llu\n",
              count(stats.acked), count(stats.replayed), count(stats.reads), count(stats.refused),
              count(stats.unknown));
  std::printf("take-overs %llu, fenced %llu, conflicts %llu, unproven %llu, crashes %llu\n",
              count(stats.take_overs), count(stats.fenced), count(stats.conflicts),
              count(stats.unproven), count(stats.crashes));
  std::printf(
      "forks %llu, reads of forks %llu, releases %llu, deletions %llu, watched %llu, resumed "
      "%llu\n",
      count(stats.forks), count(stats.fork_reads), count(stats.releases), count(stats.deletions),
      count(stats.watched), count(stats.resumed));
}

/// 0 where all hold, 1 at the first that does not; that one is run again to tell what happened.
int run_many(RunOptions options, uint64_t first, uint64_t count) {
  Stats stats;
  const auto begin = std::chrono::steady_clock::now();
  std::printf("seeds %llu..%llu\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(first + count - 1));
  for (options.seed = first; options.seed < first + count; ++options.seed) {
    const RunResult result = World(options).run();
    stats += result.stats;
    if (!result.violation) continue;
    options.verbose = true;
    print(World(options).run(), options, false);
    return 1;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  print(stats, took.count());
  return 0;
}

int list_mutants() {
  for (const Mutant& mutant : mutants()) {
    std::printf(
        "%-30s %s (%s)\n", std::string(mutant.name).c_str(), std::string(mutant.what).c_str(),
        mutant.found_within == 0 ? "must pass"
                                 : ("found within " + std::to_string(mutant.found_within)).c_str());
  }
  return 0;
}

}  // namespace
}  // namespace parley::sim

int main(int argc, char** argv) {
  using namespace parley::sim;
  RunOptions options;
  uint64_t count = 1000;
  uint64_t first = 1;
  uint64_t replay = 0;
  std::string mutant_name;
  bool list = false;
  CLI::App app{
      "Simulates conversations, owners, storage and clients from seeds, and checks what they saw"};
  app.add_option("--seeds", count, "how many seeds to run");
  app.add_option("--first-seed", first, "the first of them");
  const auto* one = app.add_option("--seed", replay, "run this one and print its whole trace");
  app.add_option("--steps", options.ops, "what clients begin in one run");
  app.add_option("--mutant", mutant_name, "break the system like this; see --list-mutants");
  app.add_flag("--list-mutants", list, "print the mutants and what must become of them");
  CLI11_PARSE(app, argc, argv);
  if (list) return list_mutants();
  if (!mutant_name.empty()) {
    const Mutant* mutant = find_mutant(mutant_name);
    if (mutant == nullptr) {
      std::fprintf(stderr, "no mutant '%s'; use one of --list-mutants\n", mutant_name.c_str());
      return 2;
    }
    options.mutations = mutant->mutations;
  }
  if (one->count() == 0) return run_many(options, first, count);
  options.seed = replay;
  options.verbose = true;
  const RunResult result = World(options).run();
  print(result, options, true);
  return result.violation ? 1 : 0;
}
