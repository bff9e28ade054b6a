#include "services/cli/load.hpp"

#include <optional>
#include <vector>

#include <grpcpp/completion_queue.h>

#include "services/cli/channel.hpp"
#include "services/cli/interrupt.hpp"

namespace parley::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// One of the calls in flight. Reused for the next call when it is answered.
struct Slot {
  AnyStub* stub = nullptr;
  std::optional<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<google::protobuf::MessageLite>> call;
  std::unique_ptr<google::protobuf::Message> response;
  grpc::Status status;
  SteadyClock::time_point begun;
};

/// One run. Lives in run_load.
class LoadRun {
 public:
  LoadRun(const Connection& connection, const Load& load)
      : connection_(connection), load_(load), slots_(static_cast<size_t>(load.in_flight)) {
    for (int i = 0; i < load.connections; ++i) stubs_.emplace_back(open_channel(connection));
  }

  LoadResult run() {
    const auto began = SteadyClock::now();
    for (size_t i = 0; i < slots_.size(); ++i) {
      slots_[i].stub = &stubs_[i % stubs_.size()];
      slots_[i].response.reset(load_.response->New());
      begin(slots_[i]);
    }
    while (under_way_ > 0) {
      void* tag = nullptr;
      bool ok = false;
      if (!queue_.Next(&tag, &ok)) break;
      end(*static_cast<Slot*>(tag));
    }
    result_.elapsed = std::chrono::duration_cast<Micros>(SteadyClock::now() - began);
    return std::move(result_);
  }

 private:
  void begin(Slot& slot) {
    const google::protobuf::Message* request = interrupted() ? nullptr : load_.next(begun_);
    if (request == nullptr) return;
    if (path_.empty()) path_ = method_path(*request->GetDescriptor());
    ++begun_;
    ++under_way_;
    slot.context.emplace();
    prepare(connection_, connection_.deadline.value_or(k_unary_deadline), &*slot.context);
    slot.begun = SteadyClock::now();
    slot.call = slot.stub->PrepareUnaryCall(&*slot.context, path_, *request, &queue_);
    slot.call->StartCall();
    slot.call->Finish(slot.response.get(), &slot.status, &slot);
  }

  void end(Slot& slot) {
    --under_way_;
    ++done_;
    if (slot.status.ok()) {
      result_.latencies.add(std::chrono::duration_cast<Micros>(SteadyClock::now() - slot.begun));
    } else {
      ++result_.failures[static_cast<int>(slot.status.error_code())];
      result_.first_failure.Update(to_status(slot.status));
    }
    load_.answered(done_);
    begin(slot);
  }

  const Connection& connection_;
  const Load& load_;
  std::string path_;
  std::vector<AnyStub> stubs_;
  grpc::CompletionQueue queue_;
  std::vector<Slot> slots_;
  uint64_t begun_ = 0;
  uint64_t done_ = 0;
  uint64_t under_way_ = 0;
  LoadResult result_;
};

}  // namespace

double LoadResult::per_second() const {
  if (elapsed.count() <= 0) return 0;
  return static_cast<double>(latencies.count()) * 1e6 / static_cast<double>(elapsed.count());
}

LoadResult run_load(const Connection& connection, const Load& load) {
  return LoadRun(connection, load).run();
}

}  // namespace parley::cli
