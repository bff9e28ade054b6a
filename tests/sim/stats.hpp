#pragma once

#include <cstdint>

namespace parley::sim {

/// How much of what matters came up: a simulation that tries nothing finds nothing.
struct Stats {
  uint64_t runs = 0;
  uint64_t steps = 0;
  uint64_t acked = 0;
  uint64_t replayed = 0;
  uint64_t reads = 0;
  uint64_t refused = 0;
  uint64_t unknown = 0;
  uint64_t take_overs = 0;
  uint64_t fenced = 0;
  uint64_t conflicts = 0;
  uint64_t unproven = 0;  ///< answers withheld because the lease had run out
  uint64_t crashes = 0;
  uint64_t forks = 0;
  uint64_t fork_reads = 0;  ///< reads that showed shared messages
  uint64_t releases = 0;
  uint64_t deletions = 0;
  uint64_t watched = 0;
  uint64_t resumed = 0;

  Stats& operator+=(const Stats& other) {
    const auto* from = reinterpret_cast<const uint64_t*>(&other);
    auto* into = reinterpret_cast<uint64_t*>(this);
    for (size_t i = 0; i < sizeof(Stats) / sizeof(uint64_t); ++i) into[i] += from[i];
    return *this;
  }
};

}  // namespace parley::sim
