#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "tests/sim/timeline.hpp"

namespace parley::sim::shared {

/// What is to be done when: a Timeline of jobs. True time, in microseconds.
class Agenda {
 public:
  using Job = std::function<void()>;

  Agenda(uint64_t seed, bool verbose) : timeline_(seed, verbose) {}

  Rng& rng() { return timeline_.rng; }
  [[nodiscard]] int64_t now() const { return timeline_.now(); }
  void after(int64_t delay, Job job) {
    uint32_t place = static_cast<uint32_t>(jobs_.size());
    if (free_.empty()) {
      jobs_.push_back(std::move(job));
    } else {
      place = free_.back();
      free_.pop_back();
      jobs_[place] = std::move(job);
    }
    timeline_.after(delay, Do::job, place);
  }
  void run_next() {
    const Due due = timeline_.next();
    const Job job = std::exchange(jobs_[due.a], nullptr);
    free_.push_back(due.a);
    job();
  }
  void trace(std::string_view what, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0,
             uint64_t d = 0) {
    timeline_.trace(what, a, b, c, d);
  }
  [[nodiscard]] const Timeline& timeline() const { return timeline_; }

 private:
  Timeline timeline_;
  std::vector<Job> jobs_;
  std::vector<uint32_t> free_;
};

}  // namespace parley::sim::shared
