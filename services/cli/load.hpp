#pragma once

#include <functional>
#include <map>
#include <string>

#include "google/protobuf/message.h"

#include "services/cli/latency_histogram.hpp"
#include "services/cli/session.hpp"

namespace parley::cli {

/// Calls of one method, as many at a time as `in_flight`, each followed by the next.
struct Load {
  int in_flight = 64;
  /// TCP connections that the calls are spread over.
  int connections = 4;
  /// The request of the nth call, from 0, or null when there are no more. It is read before the
  /// next one is asked for.
  std::function<const google::protobuf::Message*(uint64_t call)> next;
  /// What the answers parse into.
  const google::protobuf::Message* response = nullptr;
  /// Told about each answer, on the calling thread.
  std::function<void(uint64_t done)> answered = [](uint64_t) {};
};

struct LoadResult {
  /// Of the calls that went well.
  LatencyHistogram latencies;
  /// Calls that failed, by gRPC code.
  std::map<int, uint64_t> failures;
  Status first_failure;
  Micros elapsed{0};

  [[nodiscard]] double per_second() const;
};

/// Runs on the calling thread until `next` says null or an interrupt comes, and all are answered.
/// Nothing is retried.
LoadResult run_load(const Connection& connection, const Load& load);

}  // namespace parley::cli
