#pragma once

#include <array>
#include <cstdint>

#include "bench/caller.hpp"
#include "bench/requests.hpp"
#include "services/cli/latency_histogram.hpp"

namespace parley::bench {

using Latencies = parley::cli::LatencyHistogram;

/// What a run of calls showed.
struct LoadResult {
  uint64_t calls = 0;      ///< answered within the measured time
  double seconds = 0;      ///< measured
  uint64_t calls_all = 0;  ///< with warm-up and end
  Latencies latency;
  std::array<Latencies, k_methods> by_method;
  size_t answer_bytes = 0;  ///< of the last answer

  [[nodiscard]] double rate() const { return static_cast<double>(calls) / seconds; }
};

struct ClosedLoop {
  int in_flight = 64;
  double warm_up_seconds = 0.3;
  double seconds = 2;
  uint64_t calls_max = UINT64_MAX;  ///< ends earlier after so many
};

/// Keeps so many calls under way. Any failed call ends the program.
LoadResult run_closed(Caller& caller, const NextRequest& next, const ClosedLoop& loop);

/// Begins calls at a fixed rate whatever the answers do; latency counts from when a call was due.
LoadResult run_open(Caller& caller, const NextRequest& next, double calls_per_second,
                    double seconds);

/// One call; answers how many bytes came back.
size_t call_once(Caller& caller, const Request& request);
size_t call_once(Caller& caller, const NextRequest& next, uint64_t number = 0);

}  // namespace parley::bench
