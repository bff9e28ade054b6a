#include "services/call_queue.hpp"

#include <utility>

#include <grpc/support/time.h>

#include "actors/inline_unit.hpp"
#include "actors/messages.hpp"
#include "base/background.hpp"
#include "base/burst.hpp"
#include "base/cpus.hpp"
#include "base/send_together.hpp"

namespace parley {
namespace {

/// So many events are served before the log is woken for what they brought and their answers leave.
/// Why not more: the first answer waits for the last.
constexpr int k_burst = 64;

}  // namespace

CallQueue::CallQueue(caf::actor_system& system, std::unique_ptr<grpc::ServerCompletionQueue> queue)
    : system_(system), queue_(std::move(queue)) {}

CallQueue::~CallQueue() = default;

void CallQueue::start(std::span<const std::optional<int>> cpus) {
  for (const auto& cpu : cpus) threads_.emplace_back([this, cpu] { serve(cpu); });
}

void CallQueue::stop() {
  queue_->Shutdown();
  for (auto& thread : threads_) thread.join();
  // What is left where no thread ever served it.
  void* tag = nullptr;
  bool ok = false;
  while (threads_.empty() && queue_->Next(&tag, &ok)) continue;
  threads_.clear();
}

void CallQueue::serve(std::optional<int> cpu) {
  if (cpu) stay_on_cpus(std::span(&*cpu, 1));
  take_short_turns();
  resumer_here() = this;
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
    const Burst burst;
    const SendTogether together;
    static_cast<Tag*>(tag)->proceed(ok);
    for (int more = 1; more < k_burst; ++more) {
      const auto now = gpr_inf_past(GPR_CLOCK_MONOTONIC);
      if (queue_->AsyncNext(&tag, &ok, now) != grpc::CompletionQueue::GOT_EVENT) break;
      static_cast<Tag*>(tag)->proceed(ok);
    }
  }
  resumer_here() = nullptr;
}

void CallQueue::written(caf::strong_actor_ptr actor, WriteOutcome outcome) {
  absl::MutexLock lock(&mutex_);
  finished_.push_back({std::move(actor), outcome});
}

void CallQueue::flush() {
  if (rung_.exchange(true)) return;
  // Why not "now": gRPC rounds that up to a millisecond, and a timer's thread would ring.
  alarm_.Set(queue_.get(), gpr_inf_past(GPR_CLOCK_MONOTONIC), &bell_);
}

void CallQueue::post(std::function<void()> job) {
  {
    absl::MutexLock lock(&mutex_);
    jobs_.push_back(std::move(job));
  }
  flush();
}

void CallQueue::answer_bell() {
  std::vector<Finished> finished;
  std::vector<std::function<void()>> jobs;
  // Why first: what is added from now on rings again.
  rung_.store(false);
  {
    absl::MutexLock lock(&mutex_);
    finished.swap(finished_);
    jobs.swap(jobs_);
  }
  InlineUnit& unit = InlineUnit::here(system_);
  for (auto& write : finished) {
    unit.enqueue(caf::actor_cast<caf::abstract_actor*>(write.actor), WrittenMessage{write.outcome});
    unit.run();
  }
  for (auto& job : jobs) job();
}

}  // namespace parley
