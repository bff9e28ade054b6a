#pragma once

#include <cstdint>
#include <string>

#include <grpcpp/support/status.h>

#include "cluster/ring.hpp"
#include "services/error_table.hpp"

namespace parley {

grpc::Status to_grpc_status(const ApiError& error);

/// Where the answer to one request goes: to a client by gRPC, or to the node that the client asked.
///
/// Lives until one of `finish*` was called, which must happen exactly once, on any thread.
class Reply {
 public:
  virtual ~Reply() = default;

  /// The caller has gone or its deadline has passed.
  [[nodiscard]] virtual bool expired() const = 0;
  /// How long the caller waits; INT64_MAX where it did not say.
  [[nodiscard]] virtual int64_t micros_left() const = 0;
  /// The trace that the call is part of, as `traceparent` of W3C Trace Context; empty where the
  /// caller said nothing, or nothing that can be one.
  [[nodiscard]] virtual std::string trace_parent() const { return {}; }
  /// The node that asks, which expects this one to know the answer; null where a client does.
  [[nodiscard]] virtual const NodeName* peer() const { return nullptr; }
  /// The answer repeats an earlier one; to be said before it.
  virtual void mark_replayed() = 0;

  virtual void finish(std::string bytes) = 0;
  virtual void finish_status(const grpc::Status& status) = 0;

  template <class Response>
  void finish_message(const Response& response) {
    finish(response.SerializeAsString());
  }
  /// Of NOT_OWNER the caller is told only where carrying the call out anew is of no use: nothing
  /// was done, and it is soon known who the owner is.
  void finish_error(const ApiError& error) {
    if (is_not_owner(error)) return finish_unless_anew(error);
    finish_status(to_grpc_status(error));
  }
  /// The same for any error after which the call may be carried out anew: nothing was done, or it
  /// makes no difference.
  void finish_unless_anew(const ApiError& error) {
    if (!begin_anew()) finish_status(to_grpc_status(error));
  }

 private:
  /// Carries the call out from its beginning, soon; false where it will not.
  virtual bool begin_anew() { return false; }
};

/// A call of one request and one answer as its handler sees it, wherever it came from.
template <class Request>
class UnaryCall : public Reply {
 public:
  Request request;
  std::string tenant;
};

}  // namespace parley
