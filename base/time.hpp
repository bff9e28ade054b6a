#pragma once

#include <compare>
#include <cstdint>

namespace parley {

/// Wall-clock time in microseconds since 1970 UTC. For people and indexes only: it may jump, so
/// nothing about ownership or waiting depends on it.
struct WallTime {
  int64_t micros = 0;
  auto operator<=>(const WallTime&) const = default;
};

/// Microseconds on a clock that never jumps and also runs while the machine sleeps
/// (CLOCK_BOOTTIME). Means nothing outside this process's machine.
struct SteadyTime {
  int64_t micros = 0;
  auto operator<=>(const SteadyTime&) const = default;
  static constexpr SteadyTime never() { return {INT64_MAX}; }
};

}  // namespace parley
