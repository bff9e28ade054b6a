#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace parley {

/// One thread that does what it is given, in that order, and one thing again and again in between.
///
/// Owned by whoever gives it work, and stopped before what the work touches goes. Any thread may
/// post.
class TickingThread {
 public:
  using Job = std::function<void()>;

  TickingThread() = default;
  ~TickingThread() { stop(); }
  TickingThread(const TickingThread&) = delete;
  TickingThread& operator=(const TickingThread&) = delete;

  /// Once.
  void start(std::chrono::milliseconds interval, Job tick);
  /// What was not begun is dropped, now and later.
  void stop();
  void post(Job job);

 private:
  void run(std::chrono::milliseconds interval, const Job& tick);

  std::mutex mutex_;  ///< guards all below
  std::condition_variable arrived_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace parley
