#include "base/background.hpp"

#include <sys/resource.h>

namespace parley {
namespace {

/// Why not 19: on a machine that is busy for long, files must still be merged. This leaves them a
/// tenth of a core beside a thread that never sleeps.
constexpr int k_background_nice = 10;

}  // namespace

void work_in_background() {
  thread_local const bool done = [] {
    // Linux: of this thread alone. Raising the number is always permitted.
    const int now = getpriority(PRIO_PROCESS, 0);
    if (now < k_background_nice) setpriority(PRIO_PROCESS, 0, k_background_nice);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace parley
