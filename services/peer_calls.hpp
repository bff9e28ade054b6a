#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cluster/peer_transport.hpp"
#include "services/node.hpp"
#include "services/rpc.hpp"

namespace parley {

/// A call that another node forwards, answered by the same handlers as a client's.
///
/// Owns itself: gone with its answer.
template <class Request>
class PeerCall final : public UnaryCall<Request> {
 public:
  PeerCall(Node& node, NodeName from, const PeerRequest& asked, PeerServer::Reply reply)
      : node_(node),
        from_(std::move(from)),
        deadline_({node.environment.clock.steady().micros + asked.timeout_micros}),
        reply_(std::move(reply)),
        trace_parent_(asked.trace_parent),
        under_way_(node.traffic) {
    this->tenant = asked.tenant;
  }

  [[nodiscard]] bool expired() const override { return micros_left() <= 0; }
  [[nodiscard]] int64_t micros_left() const override {
    return deadline_.micros - node_.environment.clock.steady().micros;
  }
  [[nodiscard]] const NodeName* peer() const override { return &from_; }
  [[nodiscard]] std::string trace_parent() const override { return trace_parent_; }
  void mark_replayed() override { answer_.replayed = true; }
  void finish(std::string bytes) override {
    answer_.body = std::move(bytes);
    end();
  }
  void finish_status(const grpc::Status& status) override {
    answer_.code = static_cast<int>(status.error_code());
    answer_.message = status.error_message();
    answer_.details = status.error_details();
    end();
  }

 private:
  void end() {
    reply_(std::move(answer_));
    delete this;
  }

  Node& node_;
  const NodeName from_;
  const SteadyTime deadline_;
  const PeerServer::Reply reply_;
  PeerAnswer answer_;
  const std::string trace_parent_;
  const UnderWay under_way_;
};

/// What other nodes may ask of this one: methods by their names.
///
/// Owned by the server. Filled before the first link stands, then read by any thread. Handlers of
/// calls run on a thread of a queue, those of letters on the one that all links share.
class PeerCalls final : public PeerServer {
 public:
  explicit PeerCalls(Node& node) : node_(node) {}

  template <class Request>
  void add(const std::string& method, std::function<void(UnaryCall<Request>*)> handler) {
    methods_[method] = [this, handler = std::move(handler)](const NodeName& from,
                                                            const PeerRequest& asked, Reply reply) {
      auto* call = new PeerCall<Request>(node_, from, asked, std::move(reply));
      if (!parse(asked.body, call->request)) {
        return call->finish_error(undecodable_request(asked.body, call->request));
      }
      handler(call);
    };
  }

  /// What is taken as it comes, also while this node drains; it is answered at once, with nothing.
  /// One after the other as they were sent; `receive` must not block, nor make a Burst.
  void add_letters(const std::string& method,
                   std::function<void(const NodeName& from, std::string letter)> receive) {
    letters_[method] = std::move(receive);
  }

  /// `act` is called whenever a connection to another node stands anew.
  void when_linked(std::function<void(const NodeName&)> act) {
    when_linked_.push_back(std::move(act));
  }

  void linked(const NodeName& node) override {
    for (const auto& act : when_linked_) act(node);
  }
  void serve(const NodeName& from, PeerRequest request, Reply reply) override;

 private:
  Node& node_;
  std::map<std::string, std::function<void(const NodeName&, const PeerRequest&, Reply)>> methods_;
  std::map<std::string, std::function<void(const NodeName&, std::string)>> letters_;
  std::vector<std::function<void(const NodeName&)>> when_linked_;
};

/// Waits for what another node makes of a client's call, and answers the client with it.
///
/// Owns itself: gone once told.
class Forwarding final : public PeerWaiter {
 public:
  /// `repeatable`: carried out twice it is as if it had been once.
  Forwarding(Node& node, Reply& client, NodeName owner, bool repeatable)
      : node_(node), client_(client), owner_(std::move(owner)), repeatable_(repeatable) {}

  void answered(PeerAnswer answer) override;
  void failed(PeerFailure failure) override;

 private:
  Node& node_;
  Reply& client_;
  const NodeName owner_;
  const bool repeatable_;
};

/// For what is told to another node, come of it what may.
class NobodyWaits final : public PeerWaiter {
 public:
  void answered(PeerAnswer) override { delete this; }
  void failed(PeerFailure) override { delete this; }
};

/// Calls one function with the answer's body, or with why there is none.
///
/// Owns itself: gone once told.
class AnswerWaiter final : public PeerWaiter {
 public:
  using Tell = std::function<void(Checked<std::string>)>;
  AnswerWaiter(Node& node, NodeName asked, Tell tell)
      : node_(node), asked_(std::move(asked)), tell_(std::move(tell)) {}
  void answered(PeerAnswer answer) override;
  void failed(PeerFailure failure) override;

 private:
  void end(Checked<std::string> answer);

  Node& node_;
  const NodeName asked_;
  Tell tell_;
};

/// A part of a client's call, or all of it, for another node: with the deadline, which is a bound
/// where the client has none, and the trace.
PeerRequest handed_on(const std::string& method, const std::string& tenant, std::string body,
                      const Reply& client);
ApiError error_of(PeerFailure failure, const NodeName& node);
/// Of an answer that is not OK.
ApiError error_of(const PeerAnswer& answer);
/// Refuses what another node asked where the shard does not lie here; false where it does.
bool refused(Node& node, Shard shard, Reply& call);

/// Reads, and changes that have an id to be known by again.
template <class Request>
bool is_repeatable(const Request& request) {
  if constexpr (requires { request.request_id(); }) {
    return !request.request_id().empty();
  } else {
    return true;
  }
}

/// Hands the call on where its conversation's shard lies elsewhere; false where it is to be carried
/// out here.
template <class Request>
bool forwarded(Node& node, const std::string& method, UnaryCall<Request>* call) {
  if (node.router == nullptr) return false;
  const Address address = node.address(call->tenant, call->request.thread_id());
  const NodeName* owner = node.elsewhere(address);
  if (owner == nullptr) return false;
  if (call->peer() != nullptr) {
    call->finish_error(node.not_owner(address.shard));
    return true;
  }
  node.router->ask(*owner,
                   handed_on(method, call->tenant, call->request.SerializeAsString(), *call),
                   new Forwarding(node, *call, *owner, is_repeatable(call->request)));
  return true;
}

}  // namespace parley
