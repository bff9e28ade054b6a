#include "cluster/router.hpp"

#include <utility>

#include "base/check.hpp"

namespace parley {

Router::Router(NodeName self, const std::vector<NodeName>& nodes, KnownOwners owners,
               PeerTransport& transport)
    : self_(std::move(self)), owners_(owners.size()), transport_(transport) {
  const absl::MutexLock lock(&mutex_);
  nodes_.insert(nodes.begin(), nodes.end());
  names_ = nodes_;
  own_ = &*names_.insert(self_).first;
  names_.insert(NodeName{});
  for (size_t i = 0; i < owners.size(); ++i) {
    owners_[i] = &*names_.insert(owners[i].node).first;
    epochs_.push_back(owners[i].epoch);
  }
}

const NodeName* Router::find(const NodeName& node) const {
  const auto found = names_.find(node);
  return found == names_.end() ? nullptr : &*found;
}

std::vector<NodeName> Router::nodes() const {
  const absl::MutexLock lock(&mutex_);
  return {nodes_.begin(), nodes_.end()};
}

void Router::set_nodes(const std::vector<NodeName>& nodes) {
  const absl::MutexLock lock(&mutex_);
  nodes_ = {nodes.begin(), nodes.end()};
  names_.insert(nodes.begin(), nodes.end());
}

KnownOwner Router::known(Shard shard) const {
  PARLEY_CHECK(shard.value < owners_.size());
  const absl::MutexLock lock(&mutex_);
  return {owner(shard), epochs_[shard.value]};
}

void Router::learn(Shard shard, const KnownOwner& owner) {
  if (shard.value >= owners_.size() || owner.node.value.empty()) return;
  const absl::MutexLock lock(&mutex_);
  const NodeName* node = find(owner.node);
  if (node == nullptr || node == own_) return;
  if (elsewhere(shard) == nullptr || owner.epoch <= epochs_[shard.value]) return;
  owners_[shard.value].store(node, std::memory_order_release);
  epochs_[shard.value] = owner.epoch;
}

void Router::own(Shard shard, Epoch epoch) {
  PARLEY_CHECK(shard.value < owners_.size());
  const absl::MutexLock lock(&mutex_);
  owners_[shard.value].store(own_, std::memory_order_release);
  epochs_[shard.value] = epoch;
}

void Router::give(Shard shard, const KnownOwner& to) {
  PARLEY_CHECK(shard.value < owners_.size());
  const absl::MutexLock lock(&mutex_);
  const NodeName* node = find(to.node);
  PARLEY_CHECK(node != own_);
  // Nobody, where the cluster has no such node: calls fail until somebody says who has it.
  owners_[shard.value].store(node != nullptr ? node : find({}), std::memory_order_release);
  epochs_[shard.value] = to.epoch;
}

std::vector<NodeName> Router::others() const {
  std::vector<NodeName> others = nodes();
  std::erase(others, self_);
  return others;
}

std::vector<Shard> Router::shards_of(const NodeName& node) const {
  std::vector<Shard> shards;
  for (size_t i = 0; i < owners_.size(); ++i) {
    const Shard shard{static_cast<uint16_t>(i)};
    if (owner(shard) == node) shards.push_back(shard);
  }
  return shards;
}

}  // namespace parley
