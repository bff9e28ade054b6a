#include "cluster/router.hpp"

#include <set>

namespace parley {

std::vector<NodeName> Router::others() const {
  std::set<NodeName> found(layout_.begin(), layout_.end());
  found.erase(self_);
  found.erase(NodeName{});
  return {found.begin(), found.end()};
}

std::vector<Shard> Router::shards_of(const NodeName& node) const {
  std::vector<Shard> shards;
  for (size_t i = 0; i < layout_.size(); ++i) {
    if (layout_[i] == node) shards.push_back({static_cast<uint16_t>(i)});
  }
  return shards;
}

}  // namespace parley
