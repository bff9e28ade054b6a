#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tests/sim/mutants.hpp"
#include "tests/sim/shared/mutants.hpp"
#include "tests/sim/shared/shared_world.hpp"
#include "tests/sim/world.hpp"

namespace parley::sim {
namespace {

constexpr size_t k_trace_tail = 40;

/// Which to run.
struct Seeds {
  uint64_t first = 1;
  uint64_t count = 1000;
  std::optional<uint64_t> replay;
};

unsigned long long count(uint64_t number) { return number; }

template <class Result>
void print(const Result& result, uint64_t seed, bool whole_trace) {
  const size_t size = result.trace.size();
  const size_t from = whole_trace || size < k_trace_tail ? 0 : size - k_trace_tail;
  for (size_t i = from; i < size; ++i) std::printf("  %s\n", result.trace[i].c_str());
  std::printf("seed %llu: trace %016llx, %llu steps: %s\n", count(seed), count(result.trace_hash),
              count(result.stats.steps),
              result.violation
                  ? (result.violation->invariant + " broken: " + result.violation->what).c_str()
                  : "holds");
}

void print(const Stats& stats) {
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

void print(const shared::Stats& stats) {
  std::printf("acknowledged %llu, reads %llu, refused %llu, unknown %llu, unproven %llu\n",
              count(stats.acked), count(stats.reads), count(stats.refused), count(stats.unknown),
              count(stats.unproven));
  std::printf("served %llu, gives %llu, burials %llu, reborn %llu, fenced %llu, raised %llu\n",
              count(stats.served), count(stats.gives), count(stats.burials), count(stats.reborn),
              count(stats.fenced), count(stats.raised));
  std::printf("late statements %llu, crashes %llu, pauses %llu, doubles %llu, drains %llu\n",
              count(stats.late), count(stats.crashes), count(stats.pauses), count(stats.doubles),
              count(stats.drains));
}

/// 0 where all hold, 1 at the first that does not; that one is run again to tell what happened.
template <class World, class Options>
int run_many(Options options, const Seeds& seeds) {
  decltype(World(options).run().stats) stats;
  const auto begin = std::chrono::steady_clock::now();
  std::printf("seeds %llu..%llu\n", count(seeds.first), count(seeds.first + seeds.count - 1));
  for (options.seed = seeds.first; options.seed < seeds.first + seeds.count; ++options.seed) {
    const auto result = World(options).run();
    stats += result.stats;
    if (!result.violation) continue;
    options.verbose = true;
    print(World(options).run(), options.seed, false);
    return 1;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%llu runs, %llu steps in %.2f s (%.0f runs/s)\n", count(stats.runs),
              count(stats.steps), took.count(), static_cast<double>(stats.runs) / took.count());
  print(stats);
  return 0;
}

template <class World, class Options>
int run(Options options, const Seeds& seeds) {
  if (!seeds.replay) return run_many<World>(options, seeds);
  options.seed = *seeds.replay;
  options.verbose = true;
  const auto result = World(options).run();
  print(result, options.seed, true);
  return result.violation ? 1 : 0;
}

template <class Mutant>
void list(const std::vector<Mutant>& mutants) {
  for (const Mutant& mutant : mutants) {
    std::printf(
        "%-30s %s (%s)\n", std::string(mutant.name).c_str(), std::string(mutant.what).c_str(),
        mutant.found_within == 0 ? "must pass"
                                 : ("found within " + std::to_string(mutant.found_within)).c_str());
  }
}

int no_mutant(const std::string& name) {
  std::fprintf(stderr, "no mutant '%s' of that world; use one of --list-mutants\n", name.c_str());
  return 2;
}

int run_core(RunOptions options, const Seeds& seeds, const std::string& mutant_name) {
  if (!mutant_name.empty()) {
    const Mutant* mutant = find_mutant(mutant_name);
    if (mutant == nullptr) return no_mutant(mutant_name);
    options.mutations = mutant->mutations;
  }
  return run<World>(options, seeds);
}

int run_shared(const Seeds& seeds, const std::string& mutant_name) {
  shared::RunOptions options;
  if (!mutant_name.empty()) {
    const shared::Mutant* mutant = shared::find_mutant(mutant_name);
    if (mutant == nullptr) return no_mutant(mutant_name);
    options.mutations = mutant->mutations;
  }
  return run<shared::SharedWorld>(options, seeds);
}

}  // namespace
}  // namespace parley::sim

int main(int argc, char** argv) {
  using namespace parley::sim;
  RunOptions options;
  Seeds seeds;
  std::string mutant_name;
  std::string world = "both";
  bool lists = false;
  CLI::App app{
      "Simulates conversations, owners, storage and clients from seeds, and checks what they saw"};
  app.add_option("--world", world, "core: conversations; shared: leases and shards of nodes")
      ->check(CLI::IsMember({"core", "shared", "both"}));
  app.add_option("--seeds", seeds.count, "how many seeds to run");
  app.add_option("--first-seed", seeds.first, "the first of them");
  app.add_option("--seed", seeds.replay, "run this one and print its whole trace");
  app.add_option("--steps", options.ops, "what clients begin in one run of the core");
  app.add_option("--mutant", mutant_name, "break the system like this; see --list-mutants");
  app.add_flag("--list-mutants", lists, "print the mutants and what must become of them");
  CLI11_PARSE(app, argc, argv);
  if (lists) {
    if (world != "shared") list(mutants());
    if (world != "core") list(shared::mutants());
    return 0;
  }
  // One seed, or one way to break it, is of one world: the core where none is named.
  const bool one = seeds.replay.has_value() || !mutant_name.empty();
  const bool of_core = mutant_name.empty() || find_mutant(mutant_name) != nullptr;
  if (world == "shared" || (world == "both" && !of_core)) return run_shared(seeds, mutant_name);
  const int core = run_core(options, seeds, mutant_name);
  if (world == "core" || one || core != 0) return core;
  return run_shared(seeds, mutant_name);
}
