#pragma once

#include <cstdint>
#include <deque>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

namespace parley::sim {

/// The count of things that have happened; total order of a run, what histories are stamped with.
using Step = uint64_t;
inline constexpr Step k_never = UINT64_MAX;

/// The one source of chance in a run (splitmix64).
class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U + 0x1234567) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t bound) { return next() % bound; }
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low + 1)));
  }
  bool chance(uint32_t per_mille) { return below(1000) < per_mille; }

 private:
  uint64_t state_;
};

/// What happens when its time comes; `a` and `b` say to whom or what.
enum class Do : uint8_t {
  client,    ///< a: client
  arrive,    ///< a: attempt reaches its node
  respond,   ///< a: attempt's answer reaches its client
  time_out,  ///< a: attempt's client waits no longer
  load,      ///< a: node and thread, b: activation; storage reads
  loaded,    ///< as load; the activation begins
  apply,     ///< a: write reaches storage
  outcome,   ///< a: write's outcome reaches its node
  tend,      ///< a: node, b: shard; see to the lease
  grant,     ///< a: lease request reaches the authority
  granted,   ///< a: lease request's answer reaches its node
  nemesis,   ///< something goes wrong
  restart,   ///< a: node
  watch,     ///< a: watcher
  job,       ///< a: where it is, with an Agenda
};

struct Due {
  int64_t time;
  uint64_t order;
  Do what;
  uint32_t a;
  uint32_t b;
  bool operator>(const Due& other) const {
    return time != other.time ? time > other.time : order > other.order;
  }
};

/// True time, what is due, chance, and the trace of a run.
class Timeline {
 public:
  Timeline(uint64_t seed, bool verbose) : rng(seed), verbose_(verbose) {}

  Rng rng;

  [[nodiscard]] int64_t now() const { return now_; }
  [[nodiscard]] Step step() const { return step_; }
  void after(int64_t delay, Do what, uint32_t a, uint32_t b = 0) {
    queue_.push({now_ + delay, ++order_, what, a, b});
  }
  bool empty() const { return queue_.empty(); }
  /// Time moves on to what is due next.
  Due next() {
    const Due due = queue_.top();
    queue_.pop();
    now_ = due.time;
    ++step_;
    return due;
  }

  /// Part of the run's identity: two runs of a seed must trace the same.
  void trace(std::string_view what, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0,
             uint64_t d = 0) {
    for (const uint64_t part :
         {step_, static_cast<uint64_t>(now_), uint64_t{what.size()}, a, b, c, d}) {
      hash_ = (hash_ ^ part) * 0x100000001b3U;
      hash_ ^= hash_ >> 29;
    }
    if (verbose_) remember(what, a, b, c, d);
  }
  [[nodiscard]] uint64_t hash() const { return hash_; }
  [[nodiscard]] const std::deque<std::string>& lines() const { return lines_; }

 private:
  void remember(std::string_view what, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    std::string line = "step " + std::to_string(step_) + " t=" + std::to_string(now_) + " ";
    line.append(what);
    for (const uint64_t part : {a, b, c, d}) line += " " + std::to_string(part);
    lines_.push_back(std::move(line));
  }

  std::priority_queue<Due, std::vector<Due>, std::greater<>> queue_;
  int64_t now_ = 0;
  uint64_t order_ = 0;
  Step step_ = 0;
  uint64_t hash_ = 0xcbf29ce484222325U;
  bool verbose_;
  std::deque<std::string> lines_;
};

}  // namespace parley::sim
