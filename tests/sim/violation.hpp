#pragma once

#include <string>

namespace parley::sim {

/// An invariant (docs/invariants.md) and how it was broken.
struct Violation {
  std::string invariant;
  std::string what;
};

}  // namespace parley::sim
