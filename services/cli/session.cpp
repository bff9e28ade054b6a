#include "services/cli/session.hpp"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "base/check.hpp"
#include "services/cli/channel.hpp"
#include "services/cli/failures.hpp"
#include "services/cli/interrupt.hpp"
#include "services/cli/stream.hpp"

namespace parley::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int k_retries = 3;
constexpr Micros k_first_wait = std::chrono::milliseconds(500);
constexpr Micros k_longest_wait = std::chrono::milliseconds(1500);
/// Between two looks whether the server is back.
constexpr Micros k_look_again = std::chrono::milliseconds(100);
/// A line of an export holds up to 4 MiB of text, and some framing.
constexpr int k_receive_bytes_max = 16 << 20;

}  // namespace

std::shared_ptr<grpc::Channel> open_channel(const Connection& connection) {
  grpc::ChannelArguments arguments;
  arguments.SetUserAgentPrefix("parley-cli/" PARLEY_RELEASE);
  arguments.SetMaxReceiveMessageSize(k_receive_bytes_max);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 250);
  return grpc::CreateCustomChannel(connection.address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

void prepare(const Connection& connection, std::optional<Micros> deadline,
             grpc::ClientContext* context) {
  if (!connection.tenant.empty()) context->AddMetadata("parley-tenant", connection.tenant);
  if (deadline) context->set_deadline(std::chrono::system_clock::now() + *deadline);
}

Status to_status(const grpc::Status& status) {
  return call_failure(static_cast<int>(status.error_code()), status.error_message(),
                      status.error_details());
}

std::string method_path(const google::protobuf::Descriptor& request) {
  const auto* file = request.file();
  for (int s = 0; s < file->service_count(); ++s) {
    const auto* service = file->service(s);
    for (int m = 0; m < service->method_count(); ++m) {
      const auto* method = service->method(m);
      if (method->input_type() == &request) {
        return absl::StrCat("/", service->full_name(), "/", method->name());
      }
    }
  }
  PARLEY_CHECK(!"a request that no method takes");
  return "";
}

struct Session::Link {
  std::shared_ptr<grpc::Channel> channel;
  AnyStub stub;
};

Session::Session(Connection connection, Note note)
    : connection_(std::move(connection)), note_(std::move(note)), random_(std::random_device{}()) {}

Session::~Session() = default;

Session::Link& Session::link() {
  if (!link_) {
    auto channel = open_channel(connection_);
    link_ = std::make_unique<Link>(Link{channel, AnyStub(channel)});
  }
  return *link_;
}

Session::Retries::Retries(Session& session)
    : session_(session),
      end_(SteadyClock::now() + session.connection_.deadline.value_or(k_unary_deadline)),
      backoff_(k_first_wait, k_longest_wait) {}

Micros Session::Retries::left() const {
  return std::chrono::duration_cast<Micros>(end_ - SteadyClock::now());
}

bool Session::Retries::again(const Status& failure) {
  if (!server_gone(failure) || ++count_ > k_retries) return false;
  const FailureDetails details = failure_details(failure);
  const Micros limit = left();
  if (details.retry_after.value_or(Micros(0)) >= limit) return false;
  if (!details.reason.empty()) session_.note_("unavailable, trying again");
  return session_.await_server(failure, backoff_, limit) && left() > Micros(0);
}

Status Session::call_raw(const google::protobuf::Message& request,
                         google::protobuf::Message* response, Retry retry) {
  const std::string path = method_path(*request.GetDescriptor());
  Retries retries(*this);
  while (true) {
    grpc::ClientContext context;
    prepare(connection_, retries.left(), &context);
    grpc::CompletionQueue queue;
    auto call = link().stub.PrepareUnaryCall(&context, path, request, &queue);
    call->StartCall();
    grpc::Status outcome;
    call->Finish(response, &outcome, this);
    void* tag = nullptr;
    bool ok = false;
    PARLEY_CHECK(queue.Next(&tag, &ok));
    const Status status = to_status(outcome);
    if (status.ok() || retry == Retry::never || !retries.again(status)) return status;
  }
}

bool Session::await_server(const Status& failure, Backoff& backoff, Micros limit) {
  // Why: the old channel may be waiting out a failure of its own, and makes no progress while
  // nothing calls gRPC.
  link_.reset();
  const FailureDetails details = failure_details(failure);
  const Micros whole = std::min(backoff.bound(), limit);
  const Micros part =
      std::min(backoff.next(random_, details.retry_after.value_or(Micros(0))), limit);
  if (!details.reason.empty()) return wait_for(part);
  // Why not a part of the backoff here: a short one would use up an attempt before the server can
  // be back. The first look is random, so that many clients do not come back together.
  if (!wait_for(std::min(part, k_look_again))) return false;
  look_for_server(whole);
  return !interrupted();
}

void Session::look_for_server(Micros patience) {
  const auto end = SteadyClock::now() + patience;
  while (!interrupted()) {
    const auto left = std::chrono::duration_cast<Micros>(end - SteadyClock::now());
    if (left <= Micros(0)) return;
    const auto look_until = std::chrono::system_clock::now() + std::min(left, k_look_again);
    if (link().channel->WaitForConnected(look_until)) return;
  }
}

std::unique_ptr<RawStream> Session::open_raw(const google::protobuf::Descriptor& request,
                                             const google::protobuf::Message& response) {
  auto context = std::make_unique<grpc::ClientContext>();
  prepare(connection_, connection_.deadline, context.get());
  return std::make_unique<ChannelStream>(link().stub, method_path(request), std::move(context),
                                         response);
}

}  // namespace parley::cli
