#pragma once

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"

#include "services/call_queue.hpp"
#include "services/traffic.hpp"

namespace parley {

using HealthRpcs = grpc::health::v1::Health::WithRawMethod_Check<
    grpc::health::v1::Health::WithRawMethod_Watch<grpc::health::v1::Health::Service>>;

class HealthWatch;

/// grpc.health.v1.Health on the server's own queues.
///
/// Why not gRPC's: it brings threads of its own, which poll the same connections as the queues do
/// and hand what they find to them: a quarter of the server's CPU for a call that does nothing.
/// Owned by the server; outlives its queues. Any thread may set; calls run on the queues' threads.
class HealthService {
 public:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  /// `services` beside "", which stands for the whole process; all begin as SERVING.
  HealthService(HealthRpcs& rpcs, const std::vector<std::string>& services);

  void serve(CallQueue& queue);
  /// All of them NOT_SERVING, for good; watchers are told.
  void stop_serving() ABSL_LOCKS_EXCLUDED(mutex_);

  [[nodiscard]] HealthRpcs& rpcs() { return rpcs_; }
  /// SERVICE_UNKNOWN for a name that is none.
  [[nodiscard]] Status status_of(const std::string& service) const ABSL_LOCKS_EXCLUDED(mutex_);
  void add(const std::shared_ptr<HealthWatch>& watch) ABSL_LOCKS_EXCLUDED(mutex_);
  void remove(const HealthWatch* watch) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  HealthRpcs& rpcs_;
  /// Health checks do not count as traffic, which a stopping server waits for and refuses.
  Traffic traffic_;
  std::atomic<int64_t> calls_{0};
  std::vector<std::shared_ptr<void>> methods_;

  mutable absl::Mutex mutex_;
  std::map<std::string, Status> statuses_ ABSL_GUARDED_BY(mutex_);
  std::list<std::shared_ptr<HealthWatch>> watches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace parley
