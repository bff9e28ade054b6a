#pragma once

#include <string_view>
#include <vector>

#include "tests/sim/shared/settings.hpp"

namespace parley::sim::shared {

/// A system with something broken, and what must become of it.
struct Mutant {
  std::string_view name;
  std::string_view what;
  /// The simulation must find it within so many seeds; 0: another guard suffices, nothing may be
  /// found.
  uint32_t found_within;
  Mutations mutations;
};

const std::vector<Mutant>& mutants();
const Mutant* find_mutant(std::string_view name);

}  // namespace parley::sim::shared
