#pragma once

#include "services/cli/units.hpp"

namespace parley::cli {

/// While one lives, the first SIGINT or SIGTERM only raises interrupted(); a second one ends the
/// process as usual. For verbs that have something to tidy up. One at a time, on the main thread.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
};

bool interrupted();

/// False where an interrupt cut the wait short.
bool wait_for(Micros duration);

}  // namespace parley::cli
