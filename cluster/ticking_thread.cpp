#include "cluster/ticking_thread.hpp"

#include <utility>

namespace parley {

void TickingThread::start(std::chrono::milliseconds interval, Job tick) {
  thread_ = std::thread([this, interval, tick = std::move(tick)] { run(interval, tick); });
}

void TickingThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void TickingThread::post(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    jobs_.push_back(std::move(job));
  }
  arrived_.notify_all();
}

void TickingThread::run(std::chrono::milliseconds interval, const Job& tick) {
  auto next_tick = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (true) {
    arrived_.wait_until(lock, next_tick, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    std::deque<Job> jobs;
    jobs.swap(jobs_);
    lock.unlock();
    for (const Job& job : jobs) job();
    if (std::chrono::steady_clock::now() >= next_tick) {
      tick();
      next_tick = std::chrono::steady_clock::now() + interval;
    }
    lock.lock();
  }
}

}  // namespace parley
