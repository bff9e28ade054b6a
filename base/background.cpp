#include "base/background.hpp"

#include <cstdint>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace parley {
namespace {

/// Why not 19: on a machine that is busy for long, files must still be merged. This leaves them a
/// tenth of a core beside a thread that never sleeps.
constexpr int k_background_nice = 10;
/// The shortest that Linux gives.
constexpr uint64_t k_short_turn_ns = 100'000;

/// As sched_setattr(2) has it; glibc 2.36 does not.
struct SchedulingAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};

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

void take_short_turns() {
  SchedulingAttributes attributes{};
  attributes.size = sizeof attributes;
  attributes.policy = SCHED_OTHER;
  attributes.nice = getpriority(PRIO_PROCESS, 0);
  attributes.runtime = k_short_turn_ns;
  // Why not looked at: it is a wish.
  syscall(SYS_sched_setattr, 0, &attributes, 0U);
}

}  // namespace parley
