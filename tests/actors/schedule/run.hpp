#pragma once

#include <string>
#include <vector>

#include "tests/actors/schedule/stage.hpp"

namespace parley::schedule {

struct RunOptions {
  uint64_t seed = 1;
  Lie lie = Lie::none;
  bool verbose = false;  ///< keep the trace in words
};

struct RunResult {
  Violation violation;
  Stats stats;
  uint64_t trace_hash = 0;
  std::vector<std::string> lines;
};

/// One schedule: everything that happens and its order is drawn from the seed, at the end all
/// faults are healed, everything must come to rest and be put away, and the checkers judge.
RunResult run(const RunOptions& options);

}  // namespace parley::schedule
