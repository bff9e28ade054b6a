#include "services/cli/session.hpp"

#include <chrono>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "base/check.hpp"
#include "services/cli/backoff.hpp"
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

Status Session::call_raw(const google::protobuf::Message& request,
                         google::protobuf::Message* response, Retry retry) {
  const std::string path = method_path(*request.GetDescriptor());
  const Micros allowed = connection_.deadline.value_or(k_unary_deadline);
  const auto end = SteadyClock::now() + allowed;
  Backoff backoff(k_first_wait, k_longest_wait);
  for (int retries = 0;; ++retries) {
    grpc::ClientContext context;
    const auto left = std::chrono::duration_cast<Micros>(end - SteadyClock::now());
    prepare(connection_, left, &context);
    grpc::CompletionQueue queue;
    auto call = link().stub.PrepareUnaryCall(&context, path, request, &queue);
    call->StartCall();
    grpc::Status outcome;
    call->Finish(response, &outcome, this);
    void* tag = nullptr;
    bool ok = false;
    PARLEY_CHECK(queue.Next(&tag, &ok));
    const Status status = to_status(outcome);
    if (!server_gone(status) || retry == Retry::never || retries == k_retries) return status;
    const Micros asked = failure_details(status).retry_after.value_or(Micros(0));
    const Micros wait = backoff.next(random_, asked);
    if (SteadyClock::now() + wait >= end) return status;
    if (!never_reached(status)) {
      note_(absl::StrCat("unavailable, trying again in ", format_duration(wait)));
    }
    if (!await_server(wait, asked)) return status;
  }
}

// Why a new channel: the old one may be waiting out a failure of its own, and makes no progress
// while nothing calls gRPC.
bool Session::await_server(Micros wait, Micros least) {
  link_.reset();
  const auto end = SteadyClock::now() + wait;
  if (!wait_for(std::min(wait, std::max(least, k_look_again)))) return false;
  while (SteadyClock::now() < end && !interrupted()) {
    const auto look_until =
        std::chrono::system_clock::now() +
        std::min(k_look_again, std::chrono::duration_cast<Micros>(end - SteadyClock::now()));
    if (link().channel->WaitForConnected(look_until)) break;
  }
  return !interrupted();
}

std::unique_ptr<RawStream> Session::open_raw(const google::protobuf::Descriptor& request,
                                             const google::protobuf::Message& response) {
  auto context = std::make_unique<grpc::ClientContext>();
  prepare(connection_, connection_.deadline, context.get());
  return std::make_unique<ChannelStream>(link().stub, method_path(request), std::move(context),
                                         response);
}

}  // namespace parley::cli
