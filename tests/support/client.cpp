#include "tests/support/client.hpp"

#include <ostream>
#include <utility>

#include "grpc/health/v1/health.grpc.pb.h"
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/sync_stream.h>

#include "parley/v1/admin.grpc.pb.h"
#include "parley/v1/conversation.grpc.pb.h"

namespace parley::test {
namespace {

template <class Details, class Take>
void take_detail(const google::protobuf::Any& any, Take take) {
  Details details;
  if (any.Is<Details>() && any.UnpackTo(&details)) take(details);
}

CallStatus to_call_status(const grpc::Status& status) {
  CallStatus made;
  made.code = static_cast<Code>(status.error_code());
  made.message = status.error_message();
  google::rpc::Status rich;
  if (!rich.ParseFromString(status.error_details())) return made;
  for (const auto& any : rich.details()) {
    take_detail<google::rpc::ErrorInfo>(any, [&](const auto& info) {
      made.has_error_info = true;
      made.reason = info.reason();
      made.domain = info.domain();
      made.metadata.insert(info.metadata().begin(), info.metadata().end());
    });
    take_detail<google::rpc::BadRequest>(any, [&](const auto& bad) {
      for (const auto& field : bad.field_violations()) made.fields.push_back(field.field());
    });
    take_detail<google::rpc::RetryInfo>(any, [&](const auto&) { made.has_retry_info = true; });
  }
  return made;
}

void prepare(grpc::ClientContext& context, const CallOptions& options) {
  context.set_deadline(std::chrono::system_clock::now() + options.timeout);
  if (!options.tenant.empty()) context.AddMetadata("parley-tenant", options.tenant);
  if (!options.trace_parent.empty()) context.AddMetadata("traceparent", options.trace_parent);
}

template <class Response>
class ReaderStream final : public Stream<Response> {
 public:
  explicit ReaderStream(const CallOptions& options) { prepare(context_, options); }

  grpc::ClientContext& context() { return context_; }
  void begin(std::unique_ptr<grpc::ClientReader<Response>> reader) { reader_ = std::move(reader); }

  ~ReaderStream() override {
    if (!finished_) {
      context_.TryCancel();
      finish();
    }
  }
  bool read(Response& response) override { return reader_->Read(&response); }
  CallStatus finish() override {
    if (finished_) return *finished_;
    // Why: gRPC wants everything read before the end is asked for.
    for (Response rest; reader_->Read(&rest);) {
    }
    finished_ = to_call_status(reader_->Finish());
    return *finished_;
  }
  void cancel() override { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<Response>> reader_;
  std::optional<CallStatus> finished_;
};

class ImportCall final : public ImportStream {
 public:
  ImportCall(pb::ConversationService::Stub& stub, const CallOptions& options) {
    prepare(context_, options);
    stream_ = stub.ImportConversations(&context_);
  }
  ~ImportCall() override {
    if (!finished_) {
      context_.TryCancel();
      finish();
    }
  }
  bool write(const pb::ImportConversationsRequest& request) override {
    return stream_->Write(request);
  }
  void writes_done() override { stream_->WritesDone(); }
  bool read(pb::ImportConversationsResponse& response) override { return stream_->Read(&response); }
  CallStatus finish() override {
    if (finished_) return *finished_;
    for (pb::ImportConversationsResponse rest; stream_->Read(&rest);) {
    }
    finished_ = to_call_status(stream_->Finish());
    return *finished_;
  }
  void cancel() override { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<
      grpc::ClientReaderWriter<pb::ImportConversationsRequest, pb::ImportConversationsResponse>>
      stream_;
  std::optional<CallStatus> finished_;
};

grpc::ByteBuffer to_buffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

std::string to_string(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (buffer.Valid() && buffer.Dump(&slices).ok()) {
    for (const auto& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
  }
  return bytes;
}

std::shared_ptr<grpc::Channel> channel_to(const std::string& address) {
  grpc::ChannelArguments arguments;
  // Why: clients of one test stand for different ones, and a server that restarts on the same port
  // must not find them in the backoff of its predecessor.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  arguments.SetMaxReceiveMessageSize(64 << 20);
  return grpc::CreateCustomChannel("ipv4:" + address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

}  // namespace

struct Client::Parts {
  explicit Parts(const std::string& address)
      : channel(channel_to(address)),
        conversations(pb::ConversationService::NewStub(channel)),
        admin(pb::AdminService::NewStub(channel)),
        health(grpc::health::v1::Health::NewStub(channel)) {}

  template <class Stub, class Request, class Response>
  Answer<Response> call(Stub& stub,
                        grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                     Response*),
                        const Request& request, const CallOptions& options) {
    grpc::ClientContext context;
    prepare(context, options);
    Answer<Response> answer;
    answer.status = to_call_status((stub.*method)(&context, request, &answer.value));
    return answer;
  }

  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<pb::ConversationService::Stub> conversations;
  std::unique_ptr<pb::AdminService::Stub> admin;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

Client::Client(const std::string& address) : parts_(std::make_unique<Parts>(address)) {}
Client::~Client() = default;

#define PARLEY_UNARY(Service, stub, Method)                                           \
  Answer<pb::Method##Response> Client::call(const pb::Method##Request& request,       \
                                            const CallOptions& options) {             \
    return parts_->call(*parts_->stub, &pb::Service::Stub::Method, request, options); \
  }
PARLEY_UNARY(ConversationService, conversations, CreateConversation)
PARLEY_UNARY(ConversationService, conversations, GetConversation)
PARLEY_UNARY(ConversationService, conversations, BatchGetConversations)
PARLEY_UNARY(ConversationService, conversations, ListConversations)
PARLEY_UNARY(ConversationService, conversations, UpdateConversation)
PARLEY_UNARY(ConversationService, conversations, DeleteConversation)
PARLEY_UNARY(ConversationService, conversations, ResetConversation)
PARLEY_UNARY(ConversationService, conversations, ForkConversation)
PARLEY_UNARY(ConversationService, conversations, AppendMessages)
PARLEY_UNARY(ConversationService, conversations, ListMessages)
PARLEY_UNARY(ConversationService, conversations, RecordUsage)
PARLEY_UNARY(ConversationService, conversations, GetUsage)
PARLEY_UNARY(AdminService, admin, GetServerInfo)
PARLEY_UNARY(AdminService, admin, LocateConversation)
PARLEY_UNARY(AdminService, admin, CreateBackup)
PARLEY_UNARY(AdminService, admin, ListBackups)
PARLEY_UNARY(AdminService, admin, GetCluster)
PARLEY_UNARY(AdminService, admin, MoveShards)
#undef PARLEY_UNARY

std::unique_ptr<Stream<pb::WatchConversationResponse>> Client::stream(
    const pb::WatchConversationRequest& request, const CallOptions& options) {
  auto made = std::make_unique<ReaderStream<pb::WatchConversationResponse>>(options);
  made->begin(parts_->conversations->WatchConversation(&made->context(), request));
  return made;
}

std::unique_ptr<Stream<pb::ExportConversationsResponse>> Client::stream(
    const pb::ExportConversationsRequest& request, const CallOptions& options) {
  auto made = std::make_unique<ReaderStream<pb::ExportConversationsResponse>>(options);
  made->begin(parts_->conversations->ExportConversations(&made->context(), request));
  return made;
}

std::unique_ptr<Stream<pb::VerifyStorageResponse>> Client::stream(
    const pb::VerifyStorageRequest& request, const CallOptions& options) {
  auto made = std::make_unique<ReaderStream<pb::VerifyStorageResponse>>(options);
  made->begin(parts_->admin->VerifyStorage(&made->context(), request));
  return made;
}

std::unique_ptr<ImportStream> Client::import(const CallOptions& options) {
  return std::make_unique<ImportCall>(*parts_->conversations, options);
}

CallStatus Client::call_raw(const std::string& method, const std::string& request,
                            std::string* response, const CallOptions& options) {
  grpc::ClientContext context;
  prepare(context, options);
  const grpc::internal::RpcMethod rpc(method.c_str(), grpc::internal::RpcMethod::NORMAL_RPC);
  grpc::ByteBuffer answer;
  const grpc::Status status = grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(
      parts_->channel.get(), rpc, &context, to_buffer(request), &answer);
  if (response != nullptr) *response = to_string(answer);
  return to_call_status(status);
}

CallStatus Client::stream_raw(const std::string& method, const std::string& request,
                              std::string* response, const CallOptions& options) {
  grpc::ClientContext context;
  prepare(context, options);
  const grpc::internal::RpcMethod rpc(method.c_str(), grpc::internal::RpcMethod::BIDI_STREAMING);
  const std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream(
      grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
          parts_->channel.get(), rpc, &context));
  stream->Write(to_buffer(request));
  stream->WritesDone();
  grpc::ByteBuffer answer;
  if (stream->Read(&answer) && response != nullptr) *response = to_string(answer);
  for (grpc::ByteBuffer rest; stream->Read(&rest);) {
  }
  return to_call_status(stream->Finish());
}

std::string Client::health(const std::string& service) {
  grpc::ClientContext context;
  prepare(context, {});
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = parts_->health->Check(&context, request, &response);
  if (!status.ok()) return status.error_message();
  return grpc::health::v1::HealthCheckResponse::ServingStatus_Name(response.status());
}

namespace {

class HealthStream final : public Stream<std::string> {
 public:
  ReaderStream<grpc::health::v1::HealthCheckResponse>& inner() { return inner_; }
  bool read(std::string& status) override {
    grpc::health::v1::HealthCheckResponse response;
    if (!inner_.read(response)) return false;
    status = grpc::health::v1::HealthCheckResponse::ServingStatus_Name(response.status());
    return true;
  }
  CallStatus finish() override { return inner_.finish(); }
  void cancel() override { inner_.cancel(); }

 private:
  ReaderStream<grpc::health::v1::HealthCheckResponse> inner_{CallOptions{}};
};

}  // namespace

std::unique_ptr<Stream<std::string>> Client::watch_health(const std::string& service) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  auto made = std::make_unique<HealthStream>();
  made->inner().begin(parts_->health->Watch(&made->inner().context(), request));
  return made;
}

void Client::call_and_cancel(const pb::AppendMessagesRequest& request) {
  grpc::ClientContext context;
  prepare(context, {});
  grpc::CompletionQueue queue;
  const auto call = parts_->conversations->AsyncAppendMessages(&context, request, &queue);
  pb::AppendMessagesResponse response;
  grpc::Status status;
  call->Finish(&response, &status, &response);
  context.TryCancel();
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  queue.Shutdown();
}

bool Client::connect(std::chrono::milliseconds patience) {
  return parts_->channel->WaitForConnected(std::chrono::system_clock::now() + patience);
}

std::ostream& operator<<(std::ostream& out, Code code) { return out << static_cast<int>(code); }

std::ostream& operator<<(std::ostream& out, const CallStatus& status) {
  out << "code " << status.code << " " << status.reason << " '" << status.message << "'";
  for (const std::string& field : status.fields) out << " field " << field;
  for (const auto& [name, value] : status.metadata) out << " " << name << "=" << value;
  return out;
}

}  // namespace parley::test
