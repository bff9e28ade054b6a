#include "services/health_service.hpp"

#include <optional>
#include <utility>

#include "services/rpc.hpp"
#include "services/stream_step.hpp"

namespace parley {
namespace {

namespace health = grpc::health::v1;

constexpr int k_waiting = 2;

std::string encoded(HealthService::Status status) {
  health::HealthCheckResponse response;
  response.set_status(status);
  return response.SerializeAsString();
}

}  // namespace

/// One Watch call: tells the status at once, and again whenever it changes.
///
/// Lives as long as an operation of it is under way, and in the service's list. Runs on the queue's
/// threads and on whichever sets a status; `mutex_` guards what changes.
class HealthWatch final : public std::enable_shared_from_this<HealthWatch> {
 public:
  static void await(HealthService& service, CallQueue& queue) {
    auto watch = std::make_shared<HealthWatch>(service, queue);
    auto* raw = watch.get();
    raw->context_.AsyncNotifyWhenDone(raw->done_step_.begin(watch));
    service.rpcs().RequestWatch(&raw->context_, &raw->request_bytes_, &raw->writer_, queue.get(),
                                queue.get(), raw->accept_step_.begin(std::move(watch)));
  }

  HealthWatch(HealthService& service, CallQueue& queue) : service_(service), queue_(queue) {}

  /// The status may have changed.
  void look() {
    absl::MutexLock lock(&mutex_);
    if (writing_ || left_) return;
    const HealthService::Status now = service_.status_of(request_.service());
    if (now == told_) return;
    told_ = now;
    writing_ = true;
    writer_.Write(to_byte_buffer(encoded(now)), write_step_.begin(shared_from_this()));
  }

 private:
  void on_accepted(bool ok) {
    if (!ok) return done_step_.forget();
    await(service_, queue_);
    if (!parse(request_bytes_, request_)) {
      return writer_.Finish(to_grpc_status(undecodable_request()),
                            finish_step_.begin(shared_from_this()));
    }
    service_.add(shared_from_this());
    bool gone = false;
    {
      // Its end may have come before it was in the list.
      absl::MutexLock lock(&mutex_);
      gone = left_;
    }
    if (gone) return service_.remove(this);
    look();
  }
  void on_written(bool) {
    {
      absl::MutexLock lock(&mutex_);
      writing_ = false;
    }
    look();
  }
  void on_finished(bool) {}
  void on_done(bool) {
    {
      absl::MutexLock lock(&mutex_);
      left_ = true;
    }
    service_.remove(this);
  }

  HealthService& service_;
  CallQueue& queue_;
  grpc::ServerContext context_;
  grpc::ByteBuffer request_bytes_;
  grpc::ServerAsyncWriter<grpc::ByteBuffer> writer_{&context_};
  health::HealthCheckRequest request_;

  StreamStep<HealthWatch> accept_step_{&HealthWatch::on_accepted};
  StreamStep<HealthWatch> write_step_{&HealthWatch::on_written};
  StreamStep<HealthWatch> finish_step_{&HealthWatch::on_finished};
  StreamStep<HealthWatch> done_step_{&HealthWatch::on_done};

  absl::Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool left_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<HealthService::Status> told_ ABSL_GUARDED_BY(mutex_);
};

HealthService::HealthService(HealthRpcs& rpcs, const std::vector<std::string>& services)
    : rpcs_(rpcs) {
  statuses_[""] = health::HealthCheckResponse::SERVING;
  for (const std::string& service : services) {
    statuses_[service] = health::HealthCheckResponse::SERVING;
  }
}

void HealthService::serve(CallQueue& queue) {
  using Call = Rpc<HealthRpcs, health::HealthCheckRequest>;
  const auto check = [this](UnaryCall<health::HealthCheckRequest>* rpc) {
    const Status status = status_of(rpc->request.service());
    if (status != health::HealthCheckResponse::SERVICE_UNKNOWN) return rpc->finish(encoded(status));
    rpc->finish_status({grpc::StatusCode::NOT_FOUND,
                        "no such service; see reflection for those "
                        "there are, or ask for an empty one"});
  };
  auto method = std::make_shared<Call::Method>(
      Call::Method{rpcs_, &HealthRpcs::RequestCheck, check, calls_, traffic_});
  methods_.push_back(method);
  for (int i = 0; i < k_waiting; ++i) {
    Call::await(*method, queue);
    HealthWatch::await(*this, queue);
  }
}

void HealthService::stop_serving() {
  std::list<std::shared_ptr<HealthWatch>> watches;
  {
    absl::MutexLock lock(&mutex_);
    for (auto& [service, status] : statuses_) status = health::HealthCheckResponse::NOT_SERVING;
    watches = watches_;
  }
  for (const auto& watch : watches) watch->look();
}

HealthService::Status HealthService::status_of(const std::string& service) const {
  absl::MutexLock lock(&mutex_);
  const auto found = statuses_.find(service);
  return found == statuses_.end() ? health::HealthCheckResponse::SERVICE_UNKNOWN : found->second;
}

void HealthService::add(const std::shared_ptr<HealthWatch>& watch) {
  absl::MutexLock lock(&mutex_);
  watches_.push_back(watch);
}

void HealthService::remove(const HealthWatch* watch) {
  std::shared_ptr<HealthWatch> gone;  // Why: must not end under the lock
  absl::MutexLock lock(&mutex_);
  for (auto it = watches_.begin(); it != watches_.end(); ++it) {
    if (it->get() != watch) continue;
    gone = std::move(*it);
    watches_.erase(it);
    return;
  }
}

}  // namespace parley
