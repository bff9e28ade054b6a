#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include "bench/caller.hpp"
#include "bench/failure.hpp"

namespace parley::bench {
namespace {

/// The ordinary client: gRPC's generic stub on a completion queue, served by the calling thread.
class GrpcClient final : public Caller {
 public:
  GrpcClient(const std::string& address, int connections) {
    for (int i = 0; i < connections; ++i) {
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      auto channel =
          grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
      if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(5))) {
        fail("cannot connect to " + address);
      }
      stubs_.push_back(std::make_unique<grpc::GenericStub>(channel));
    }
  }

  ~GrpcClient() override {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) delete static_cast<Call*>(tag);
  }

  void start(Method method, std::string_view request, uint64_t token) override {
    auto* call = new Call;  // Why: gRPC owns it until the queue gives it back
    call->token = token;
    const grpc::Slice slice(request.data(), request.size());
    const grpc::ByteBuffer bytes(&slice, 1);
    call->reader = stubs_[next_]->PrepareUnaryCall(&call->context, path_of(method), bytes, &queue_);
    next_ = (next_ + 1) % stubs_.size();
    call->reader->StartCall();
    call->reader->Finish(&call->answer, &call->status, call);
  }

  void poll(std::chrono::nanoseconds patience, std::vector<Done>& done) override {
    auto until = std::chrono::system_clock::now() +
                 std::chrono::duration_cast<std::chrono::microseconds>(patience);
    void* tag = nullptr;
    bool ok = false;
    while (queue_.AsyncNext(&tag, &ok, until) == grpc::CompletionQueue::GOT_EVENT) {
      const std::unique_ptr<Call> call(static_cast<Call*>(tag));
      done.push_back(
          {call->token, call->status.ok(), call->answer.Length(), call->status.error_message()});
      until = {};
    }
  }

 private:
  struct Call {
    uint64_t token = 0;
    grpc::ClientContext context;
    grpc::ByteBuffer answer;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
  };

  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Caller> connect_grpc(const std::string& address, int connections) {
  return std::make_unique<GrpcClient>(address, connections);
}

}  // namespace parley::bench
