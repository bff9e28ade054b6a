#pragma once

#include <algorithm>
#include <random>

#include "services/cli/units.hpp"

namespace parley::cli {

/// How long to wait before trying again: a random part ("full jitter") of a bound that doubles with
/// every failure, so that many clients that failed together do not come back together.
class Backoff {
 public:
  Backoff(Micros first, Micros longest) : first_(first), longest_(longest), bound_(first) {}

  /// The next wait; at least `least`, which is what the server asked for.
  template <class Random>
  Micros next(Random& random, Micros least = Micros(0)) {
    std::uniform_int_distribution<int64_t> part(0, bound_.count());
    bound_ = std::min(longest_, bound_ * 2);
    return std::max(least, Micros(part(random)));
  }

  /// The longest that the next wait can be, but for what a server asks.
  [[nodiscard]] Micros bound() const { return bound_; }
  /// It went well: begin again with short waits.
  void reset() { bound_ = first_; }

 private:
  Micros first_;
  Micros longest_;
  Micros bound_;
};

}  // namespace parley::cli
