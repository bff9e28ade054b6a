#include "cluster/router.hpp"

#include <algorithm>
#include <set>

#include "base/check.hpp"

namespace parley {
namespace {

std::vector<NodeName> all_names(const NodeName& self, const std::vector<NodeName>& nodes,
                                const KnownOwners& owners) {
  std::set<NodeName> names(nodes.begin(), nodes.end());
  names.insert({NodeName{}, self});
  for (const KnownOwner& owner : owners) names.insert(owner.node);
  return {names.begin(), names.end()};
}

}  // namespace

Router::Router(NodeName self, const std::vector<NodeName>& nodes, KnownOwners owners,
               PeerTransport& transport)
    : self_(std::move(self)),
      names_(all_names(self_, nodes, owners)),
      own_(find(self_)),
      owners_(owners.size()),
      transport_(transport) {
  for (size_t i = 0; i < owners.size(); ++i) {
    owners_[i] = find(owners[i].node);
    epochs_.push_back(owners[i].epoch);
  }
}

const NodeName* Router::find(const NodeName& node) const {
  const auto found = std::lower_bound(names_.begin(), names_.end(), node);
  return found != names_.end() && *found == node ? &*found : nullptr;
}

std::vector<NodeName> Router::nodes() const {
  std::vector<NodeName> nodes = names_;
  std::erase(nodes, NodeName{});
  return nodes;
}

KnownOwner Router::known(Shard shard) const {
  PARLEY_CHECK(shard.value < owners_.size());
  const absl::MutexLock lock(&mutex_);
  return {owner(shard), epochs_[shard.value]};
}

void Router::learn(Shard shard, const KnownOwner& owner) {
  const NodeName* node = find(owner.node);
  if (shard.value >= owners_.size() || node == nullptr || node == own_) return;
  if (node->value.empty()) return;
  const absl::MutexLock lock(&mutex_);
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
  const NodeName* node = find(to.node);
  PARLEY_CHECK(shard.value < owners_.size() && node != own_);
  const absl::MutexLock lock(&mutex_);
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
