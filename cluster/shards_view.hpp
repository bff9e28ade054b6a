#pragma once

#include <vector>

#include "cluster/ownership.hpp"

namespace parley {

/// What a node has of the shards, for whoever looks. Any thread.
class ShardsView {
 public:
  virtual ~ShardsView() = default;
  struct Look {
    Holding holding;
    NodeName wanted;       ///< nobody: stays where it is
    bool resting = false;  ///< nothing is under way
    bool serving = false;  ///< here, now
    // While rows go from here.
    size_t behind_bytes = 0;  ///< read, and not durable at the other node, as far as is known
    bool caught_up = false;   ///< what is behind are changes made since the beginning
  };
  /// By the shard's number, as of the last change.
  [[nodiscard]] virtual std::vector<Look> look() const = 0;
};

}  // namespace parley
