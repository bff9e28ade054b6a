#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <google/protobuf/message.h>
#include <grpc/support/time.h>
#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include "base/check.hpp"
#include "services/call_queue.hpp"
#include "services/error_table.hpp"
#include "services/spare_messages.hpp"
#include "services/traffic.hpp"
#include "services/unary_call.hpp"

namespace parley {

/// Takes the bytes over without copying where they are many.
grpc::ByteBuffer to_byte_buffer(std::string bytes);
/// Parses a message, also one that nests deeper than protobuf's own bound (metadata as JSON does:
/// its depth is judged, with words of ours, by validation). False where the bytes are no such
/// message, else lets go of them.
bool parse(grpc::ByteBuffer& bytes, google::protobuf::Message& message);
bool parse(const std::string& bytes, google::protobuf::Message& message);
/// INVALID_FIELD where a text in what could not be parsed is not UTF-8, else INVALID_REQUEST.
ApiError undecodable_request(const grpc::ByteBuffer& bytes,
                             const google::protobuf::Message& expected);
/// The tenant that the caller names; INVALID_FIELD where it is not an id.
Checked<std::string> tenant_of(const grpc::ServerContext& context);
/// `traceparent` as the caller sent it; empty where it sent none, or more than that can be.
std::string trace_parent_of(const grpc::ServerContext& context);

/// One unary RPC, from waiting for it until its answer is sent.
///
/// Owns itself: made waiting, it makes its successor when it is taken, and is gone when the answer
/// has left. Messages go as bytes, so that answers can be put together from stored bytes without
/// parsing them (services/translate.hpp).
template <class Service, class Request>
class Rpc final : public Tag, public UnaryCall<Request> {
 public:
  using Writer = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;
  using Wait = void (Service::*)(grpc::ServerContext*, grpc::ByteBuffer*, Writer*,
                                 grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*);
  using Handler = std::function<void(UnaryCall<Request>*)>;

  /// What all RPCs of a method share. Outlives them.
  struct Method {
    Service& service;
    Wait wait;
    Handler handle;
    std::atomic<int64_t>& calls;
    Traffic& traffic;
    size_t request_bytes_max = 4U << 20;
    bool may_move = false;  ///< what it is about: the request is kept, to be carried out anew
  };

  static void await(const Method& method, CallQueue& queue) { new Rpc(method, queue); }

  using UnaryCall<Request>::request;
  using UnaryCall<Request>::tenant;

  [[nodiscard]] bool expired() const override {
    const gpr_timespec deadline = context_.raw_deadline();
    // Most calls of a service to a service have none: they need no clock.
    if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) return false;
    return gpr_time_cmp(deadline, gpr_now(deadline.clock_type)) < 0;
  }

  [[nodiscard]] int64_t micros_left() const override {
    const gpr_timespec deadline = context_.raw_deadline();
    if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) return INT64_MAX;
    const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
    return left.tv_sec * 1'000'000 + left.tv_nsec / 1'000;
  }
  [[nodiscard]] std::string trace_parent() const override { return trace_parent_of(context_); }
  void mark_replayed() override { context_.AddTrailingMetadata("parley-replayed", "true"); }

  void finish(std::string bytes) override {
    step_ = Step::finishing;
    writer_.Finish(to_byte_buffer(std::move(bytes)), grpc::Status::OK, this);
  }
  void finish_status(const grpc::Status& status) override {
    step_ = Step::finishing;
    writer_.FinishWithError(status, this);
  }

 private:
  enum class Step : uint8_t {
    waiting,    ///< for a call; next: handling, or gone at shutdown
    handling,   ///< next: finishing, resting
    resting,    ///< to be carried out anew; next: handling
    finishing,  ///< next: gone
  };

  Rpc(const Method& method, CallQueue& queue) : method_(method), queue_(queue), writer_(&context_) {
    (method_.service.*method_.wait)(&context_, &bytes_, &writer_, queue_.get(), queue_.get(), this);
  }

  void proceed(bool ok) override {
    if (step_ == Step::resting) return carry_out_anew();
    if (step_ == Step::finishing || !ok) {
      SpareMessages<Request>::here().keep(request, request_bytes_);
      delete this;
      return;
    }
    await(method_, queue_);
    step_ = Step::handling;
    under_way_.emplace(method_.traffic);
    ++method_.calls;
    begin();
  }

  void begin() {
    if (method_.traffic.draining) return this->finish_error(make_error(ErrorId::server_draining));
    request_bytes_ = bytes_.Length();
    if (request_bytes_ > method_.request_bytes_max) {
      return this->finish_error(request_too_large(request_bytes_, method_.request_bytes_max));
    }
    SpareMessages<Request>::here().equip(request);
    if (method_.may_move) kept_ = bytes_;
    if (!parse(bytes_, request)) {
      return this->finish_error(undecodable_request(bytes_, request));
    }
    auto tenant_or = tenant_of(context_);
    if (auto* error = std::get_if<ApiError>(&tenant_or)) return this->finish_error(*error);
    tenant = std::get<std::string>(std::move(tenant_or));
    if (expired()) return this->finish_error(deadline_passed());
    method_.handle(this);
  }

  bool begin_anew() override {
    // A queue that is about to be stopped takes no alarms.
    if (!method_.may_move || method_.traffic.draining) return false;
    if (rested_micros_ >= k_rest_micros_max || expired()) return false;
    const int64_t rest = std::min(k_rest_micros << std::min(rests_++, 8), k_rests_micros_max);
    rested_micros_ += rest;
    step_ = Step::resting;
    alarm_.emplace();
    alarm_->Set(
        queue_.get(),
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(rest, GPR_TIMESPAN)), this);
    return true;
  }

  void carry_out_anew() {
    step_ = Step::handling;
    grpc::ByteBuffer bytes = kept_;
    if (expired()) return this->finish_error(deadline_passed());
    if (!parse(bytes, request)) return this->finish_error(make_error(ErrorId::internal));
    method_.handle(this);
  }

  // How long a call waits for a conversation that is moving, in all, within its deadline.
  static constexpr int64_t k_rest_micros_max = 10'000'000;
  static constexpr int64_t k_rest_micros = 500;  ///< the first time, then twice as long each time
  static constexpr int64_t k_rests_micros_max = 100'000;

  const Method& method_;
  CallQueue& queue_;
  grpc::ServerContext context_;
  grpc::ByteBuffer bytes_;
  size_t request_bytes_ = SIZE_MAX;  ///< on the wire
  Writer writer_;
  std::atomic<Step> step_{Step::waiting};
  std::optional<UnderWay> under_way_;
  grpc::ByteBuffer kept_;  ///< the request, where it may have to be carried out anew
  std::optional<grpc::Alarm> alarm_;
  int rests_ = 0;
  int64_t rested_micros_ = 0;
};

}  // namespace parley
