#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include <caf/actor_system.hpp>
#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include "actors/environment.hpp"

namespace parley {

/// Something that waits in a completion queue.
class Tag {
 public:
  virtual ~Tag() = default;
  /// The operation is over; `ok` as gRPC means it. Runs on a thread of the queue, must not block.
  virtual void proceed(bool ok) = 0;
};

/// A gRPC completion queue with the threads that serve it: the place where calls come in, where
/// conversations run inline, and where finished writes come back by way of the bell.
///
/// Events that are there already are served in one burst, so that the log writes them together and
/// their answers leave together.
///
/// Owned by the server. `written`, `flush` and `post` on any thread; all else runs on the queue's
/// own threads. Invariant: nothing that runs here blocks (D16).
class CallQueue final : public Resumer {
 public:
  CallQueue(caf::actor_system& system, std::unique_ptr<grpc::ServerCompletionQueue> queue);
  ~CallQueue() override;

  /// A thread for each entry; it stays on that CPU, or runs where the kernel puts it.
  void start(std::span<const std::optional<int>> cpus);
  /// To be called when no call, stream or write is left. Joins the threads.
  void stop();

  grpc::ServerCompletionQueue* get() { return queue_.get(); }

  void written(caf::strong_actor_ptr actor, WriteOutcome outcome) override;
  void flush() override;
  /// Runs a job on a thread of the queue soon.
  void post(std::function<void()> job);

 private:
  struct Finished {
    caf::strong_actor_ptr actor;
    WriteOutcome outcome;
  };
  /// The bell's place in the completion queue.
  class Bell final : public Tag {
   public:
    explicit Bell(CallQueue& queue) : queue_(queue) {}
    void proceed(bool) override { queue_.answer_bell(); }

   private:
    CallQueue& queue_;
  };

  void serve(std::optional<int> cpu);
  void answer_bell();

  caf::actor_system& system_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::vector<std::thread> threads_;

  absl::Mutex mutex_;
  std::vector<Finished> finished_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> jobs_ ABSL_GUARDED_BY(mutex_);
  /// From the ringing on until the bell is answered. Why no lock: whoever rings would still have it
  /// when the thread that it wakes asks for it.
  std::atomic<bool> rung_ = false;
  Bell bell_{*this};
  grpc::Alarm alarm_;  ///< of whoever set `rung_`
};

}  // namespace parley
