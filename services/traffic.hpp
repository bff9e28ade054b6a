#pragma once

#include <atomic>
#include <cstdint>

namespace parley {

/// What goes through the server now, and whether it still takes more. Owned by the node, used by
/// any thread.
struct Traffic {
  /// Calls and streams that were taken and are not over.
  std::atomic<int64_t> under_way{0};
  /// Set by a stop: what comes is refused, streams end.
  std::atomic<bool> draining{false};
};

/// One call or stream under way, for as long as it lives.
class UnderWay {
 public:
  explicit UnderWay(Traffic& traffic) : traffic_(traffic) { ++traffic_.under_way; }
  ~UnderWay() { --traffic_.under_way; }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

 private:
  Traffic& traffic_;
};

}  // namespace parley
