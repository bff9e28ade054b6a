#include "base/cpus.hpp"

#include <algorithm>
#include <sched.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace parley {

std::vector<int> usable_cpus() {
  std::vector<int> usable;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return usable;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) usable.push_back(cpu);
  }
  return usable;
}

Status check_cpus(std::string_view flag, std::span<const int> cpus) {
  const std::vector<int> usable = usable_cpus();
  for (const int cpu : cpus) {
    if (std::find(usable.begin(), usable.end(), cpu) != usable.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(absl::string_view(flag.data(), flag.size()), ": this process may not use CPU ",
                     cpu, "; name some of ", absl::StrJoin(usable, ","), ", or leave it out"));
  }
  return absl::OkStatus();
}

void stay_on_cpus(std::span<const int> cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}

void leave_cpus(std::span<const int> cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return;
  for (const int cpu : cpus) CPU_CLR(cpu, &set);
  if (CPU_COUNT(&set) > 0) sched_setaffinity(0, sizeof set, &set);
}

}  // namespace parley
