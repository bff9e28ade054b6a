#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include "services/node.hpp"
#include "services/rpc.hpp"
#include "services/stream_step.hpp"

namespace parley {

/// A long streaming call (export, import, verification) that is written as plain blocking code on a
/// thread of its own, while gRPC's operations run on the queue's.
///
/// `Io` is gRPC's asynchronous reader-writer or writer. Lives as long as an operation or the job is
/// under way. `send` and `receive` are called by the job's thread alone.
template <class Service, class Io>
class BackgroundStream : public std::enable_shared_from_this<BackgroundStream<Service, Io>> {
 public:
  using Self = BackgroundStream<Service, Io>;
  /// The whole call: returns how it ends.
  using Job = std::function<grpc::Status(Self&)>;
  using Announce = std::function<void(Self&, void* tag)>;

  /// What all calls of a method share. Outlives them.
  struct Method {
    Node& node;
    Announce announce;  ///< tells gRPC to take a call of the method
    Job job;
    std::atomic<int64_t>& calls;
  };

  static void await(const Method& method, CallQueue& queue) {
    auto stream = std::make_shared<Self>(method, queue);
    Self& raw = *stream;
    raw.context_.AsyncNotifyWhenDone(raw.done_step_.begin(stream));
    method.announce(raw, raw.accept_step_.begin(std::move(stream)));
  }

  BackgroundStream(const Method& method, CallQueue& queue) : method_(method), queue_(queue) {}

  grpc::ServerContext& context() { return context_; }
  grpc::ByteBuffer& request_bytes() { return request_bytes_; }
  Io& io() { return io_; }
  CallQueue& queue() { return queue_; }
  [[nodiscard]] const std::string& tenant() const { return tenant_; }

  /// False when the caller has gone.
  bool send(std::string bytes) {
    io_.Write(to_byte_buffer(std::move(bytes)), write_step_.begin(this->shared_from_this()));
    absl::MutexLock lock(&mutex_);
    const auto over = [this]()
                          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return written_.has_value(); };
    mutex_.Await(absl::Condition(&over));
    return *std::exchange(written_, std::nullopt);
  }
  /// The next message, nothing at the end of the caller's stream. While none comes, `meanwhile` is
  /// called after each `poke`; it may send.
  std::optional<grpc::ByteBuffer> receive(const std::function<void()>& meanwhile) {
    grpc::ByteBuffer bytes;
    io_.Read(&bytes, read_step_.begin(this->shared_from_this()));
    while (true) {
      {
        absl::MutexLock lock(&mutex_);
        const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return read_ || poked_; };
        mutex_.Await(absl::Condition(&due));
        poked_ = false;
        if (read_) {
          if (!*std::exchange(read_, std::nullopt)) return std::nullopt;
          return bytes;
        }
      }
      meanwhile();
    }
  }
  /// Wakes a waiting `receive`. Any thread.
  void poke() {
    absl::MutexLock lock(&mutex_);
    poked_ = true;
  }
  /// The caller has gone, or the server stops.
  [[nodiscard]] bool ended() {
    absl::MutexLock lock(&mutex_);
    return gone_ || method_.node.traffic.draining;
  }

 private:
  void on_accepted(bool ok) {
    if (!ok) return done_step_.forget();
    await(method_, queue_);
    ++method_.calls;
    under_way_.emplace(method_.node.traffic);
    if (method_.node.traffic.draining) {
      return finish(to_grpc_status(make_error(ErrorId::server_draining)));
    }
    auto tenant = tenant_of(context_);
    if (auto* error = std::get_if<ApiError>(&tenant)) return finish(to_grpc_status(*error));
    tenant_ = std::get<std::string>(std::move(tenant));
    method_.node.in_background(
        [self = this->shared_from_this()] { self->finish(self->method_.job(*self)); });
  }

  void on_read(bool ok) {
    absl::MutexLock lock(&mutex_);
    read_ = ok;
  }
  void on_written(bool ok) {
    absl::MutexLock lock(&mutex_);
    written_ = ok;
  }
  void on_finished(bool) {}
  void on_done(bool) {
    absl::MutexLock lock(&mutex_);
    gone_ = true;
  }

  void finish(const grpc::Status& status) {
    io_.Finish(status, finish_step_.begin(this->shared_from_this()));
  }

  const Method& method_;
  CallQueue& queue_;
  grpc::ServerContext context_;
  grpc::ByteBuffer request_bytes_;
  Io io_{&context_};
  std::string tenant_;
  std::optional<UnderWay> under_way_;

  StreamStep<Self> accept_step_{&Self::on_accepted};
  StreamStep<Self> read_step_{&Self::on_read};
  StreamStep<Self> write_step_{&Self::on_written};
  StreamStep<Self> finish_step_{&Self::on_finished};
  StreamStep<Self> done_step_{&Self::on_done};

  absl::Mutex mutex_;
  std::optional<bool> read_ ABSL_GUARDED_BY(mutex_);
  std::optional<bool> written_ ABSL_GUARDED_BY(mutex_);
  bool poked_ ABSL_GUARDED_BY(mutex_) = false;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
};

using OutStream = grpc::ServerAsyncWriter<grpc::ByteBuffer>;
using InOutStream = grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;

}  // namespace parley
