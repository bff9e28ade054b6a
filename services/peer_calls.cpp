#include "services/peer_calls.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace parley {
namespace {

/// As long as a call is waited for that has no deadline of its own.
constexpr int64_t k_patience_micros = 60'000'000;

}  // namespace

void PeerCalls::serve(const NodeName& from, PeerRequest request, Reply reply) {
  if (const auto taken = letters_.find(request.method); taken != letters_.end()) {
    taken->second(from, std::move(request.body));
    return reply({});
  }
  const auto found = methods_.find(request.method);
  const auto refuse = [&](ErrorId id) {
    const grpc::Status status = to_grpc_status(make_error(id));
    reply({static_cast<int>(status.error_code()),
           status.error_message(),
           status.error_details(),
           {},
           false});
  };
  // A later release may ask for more than this one can.
  if (found == methods_.end()) return refuse(ErrorId::unimplemented);
  // Where nodes share a journal everything was passed on before: who asks still is told to whom.
  if (node_.traffic.draining && !node_.shares_journal()) return refuse(ErrorId::server_draining);
  if (!request.trace_parent.empty()) {
    spdlog::debug("{} for node {}, of trace {}", request.method, from.value, request.trace_parent);
  }
  found->second(from, request, std::move(reply));
}

void Forwarding::answered(PeerAnswer answer) {
  if (answer.code == 0) {
    node_.note_replay(client_, answer.replayed);
    client_.finish(std::move(answer.body));
  } else if (answer.code == static_cast<int>(absl::StatusCode::kUnavailable)) {
    const ApiError error = error_of(answer);
    node_.learn(error);
    client_.finish_error(error);
  } else {
    client_.finish_status({static_cast<grpc::StatusCode>(answer.code), std::move(answer.message),
                           std::move(answer.details)});
  }
  delete this;
}

void Forwarding::failed(PeerFailure failure) {
  const ApiError error = error_of(failure, owner_);
  // Where nodes share a journal somebody else will have it soon, if that node is gone.
  const bool harmless =
      failure == PeerFailure::not_sent || (failure == PeerFailure::lost && repeatable_);
  const bool soon = harmless && node_.shares_journal();
  soon ? client_.finish_unless_anew(error) : client_.finish_error(error);
  delete this;
}

void AnswerWaiter::answered(PeerAnswer answer) {
  if (answer.code == 0) return end(std::move(answer.body));
  ApiError error = error_of(answer);
  node_.learn(error);
  end(std::move(error));
}

void AnswerWaiter::failed(PeerFailure failure) { end(error_of(failure, asked_)); }

void AnswerWaiter::end(Checked<std::string> answer) {
  // Why first: what it is told may be the last that keeps something alive.
  const Tell tell = std::move(tell_);
  delete this;
  tell(std::move(answer));
}

PeerRequest handed_on(const std::string& method, const std::string& tenant, std::string body,
                      const Reply& client) {
  return {method,          tenant,
          std::move(body), std::min(client.micros_left(), k_patience_micros),
          false,           client.trace_parent()};
}

ApiError error_of(PeerFailure failure, const NodeName& node) {
  switch (failure) {
    case PeerFailure::not_sent:
      return make_error(ErrorId::node_unreachable, {{"node", node.value}});
    case PeerFailure::overloaded:
      return make_error(ErrorId::overloaded);
    case PeerFailure::lost:
    case PeerFailure::timed_out:
      return make_error(ErrorId::outcome_unknown, {{"node", node.value}});
  }
  return make_error(ErrorId::internal);
}

ApiError error_of(const PeerAnswer& answer) {
  google::rpc::Status status;
  if (!status.ParseFromString(answer.details) || status.details_size() == 0) {
    return make_error(ErrorId::internal);
  }
  return from_rpc_status(status);
}

bool refused(Node& node, Shard shard, Reply& call) {
  if (node.router->elsewhere(shard) == nullptr) return false;
  call.finish_error(node.not_owner(shard));
  return true;
}

}  // namespace parley
