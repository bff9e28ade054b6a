#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "parley/bench/v1/echo.grpc.pb.h"
#include "services/rpc.hpp"

namespace parley {

using EchoRpcs = bench::v1::EchoService::WithRawMethod_Echo<bench::v1::EchoService::Service>;

/// A call that does nothing, on the same queues as all others: the limit that benchmarks compare
/// with. Served with --bench-echo only. Owned by the server.
class EchoService {
 public:
  EchoService(EchoRpcs& rpcs, Traffic& traffic) : rpcs_(rpcs), traffic_(traffic) {}
  void serve(CallQueue& queue);

 private:
  EchoRpcs& rpcs_;
  Traffic& traffic_;
  std::vector<std::shared_ptr<void>> methods_;
  std::atomic<int64_t> calls_{0};
};

}  // namespace parley
