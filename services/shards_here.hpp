#pragma once

#include <map>
#include <set>

#include "services/node.hpp"

namespace parley {

/// Which shards are this node's from now until it is asked: what was read of them meanwhile is
/// whole. Those that come or go on the way are whole nowhere.
///
/// On the stack of whoever reads.
class ShardsHere {
 public:
  explicit ShardsHere(const Node& node) : node_(node) {
    for (uint32_t i = 0; i < node.environment.shard_count; ++i) {
      const Shard shard{static_cast<uint16_t>(i)};
      if (here(shard)) epochs_[shard] = node.store.epoch(shard);
    }
  }
  [[nodiscard]] std::set<Shard> still() const {
    std::set<Shard> still;
    for (const auto& [shard, epoch] : epochs_) {
      if (here(shard) && node_.store.epoch(shard) == epoch) still.insert(shard);
    }
    return still;
  }

 private:
  [[nodiscard]] bool here(Shard shard) const {
    return node_.router == nullptr || node_.router->elsewhere(shard) == nullptr;
  }

  const Node& node_;
  std::map<Shard, Epoch> epochs_;
};

}  // namespace parley
