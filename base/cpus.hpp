#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace parley {

/// The CPUs that the calling thread may run on, ascending.
std::vector<int> usable_cpus();

/// OK where each is one of usable_cpus(); else INVALID_ARGUMENT whose message names `flag` and the
/// remedy.
Status check_cpus(std::string_view flag, std::span<const int> cpus);

/// The calling thread runs on these CPUs alone from now on; nothing happens where it may run on
/// none of them.
void stay_on_cpus(std::span<const int> cpus);

/// The calling thread, and those that it starts from now on, leave these CPUs to others; nothing
/// happens where no other is left.
void leave_cpus(std::span<const int> cpus);

}  // namespace parley
