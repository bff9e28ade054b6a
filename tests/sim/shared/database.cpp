#include "tests/sim/shared/database.hpp"

#include <algorithm>

namespace parley::sim::shared {

Database::Database(const Mutations& mutations) : mutations_(mutations), logs_(k_shards) {
  for (uint16_t i = 0; i < k_shards; ++i) shards_.push_back({{i}, {1}, {}, {}});
}

Member* Database::find(const std::string& node, const Id128& incarnation) {
  const auto found = std::ranges::find_if(members_, [&](const Member& each) {
    return each.node == node && each.incarnation == incarnation;
  });
  return found == members_.end() ? nullptr : &*found;
}

void Database::own(OwnedShard& row, const Member& by) {
  row = {row.shard, {row.epoch.value + 1}, by.node, by.incarnation};
}

bool Database::join(const Member& self) {
  const auto there = std::ranges::find(members_, self.node, &Member::node);
  if (there != members_.end()) return there->incarnation == self.incarnation;
  Member member = self;
  member.leaving = false;
  member.renewals = 0;
  members_.insert(std::ranges::lower_bound(members_, self.node, {}, &Member::node), member);
  return true;
}

bool Database::renew(const Member& self) {
  Member* member = find(self.node, self.incarnation);
  if (member == nullptr) return false;
  ++member->renewals;
  member->leaving = self.leaving;
  return true;
}

void Database::bury(const std::vector<Member>& silent) {
  for (const Member& each : silent) {
    const Member* member = find(each.node, each.incarnation);
    if (member == nullptr) continue;
    if (mutations_.bury_compares && member->renewals != each.renewals) continue;
    members_.erase(members_.begin() + (member - members_.data()));
  }
}

void Database::take(const Member& self, const std::vector<OwnedShard>& shards) {
  if (find(self.node, self.incarnation) == nullptr) return;
  for (const OwnedShard& read : shards) {
    OwnedShard& row = shards_[read.shard.value];
    // Of a row that was waited for, the real one looks at the row again, and not at who is a
    // member.
    const bool changed = row.epoch != read.epoch;
    if (changed && mutations_.take_compares_epochs) continue;
    const bool owned = !changed && find(row.node, row.incarnation) != nullptr;
    if (mutations_.take_compares && owned) continue;
    own(row, self);
  }
}

void Database::give(const Member& self, Shard shard, Epoch epoch, const Member& to) {
  OwnedShard& row = shards_[shard.value];
  if (row.epoch != epoch || row.node != self.node || row.incarnation != self.incarnation) return;
  if (find(to.node, to.incarnation) != nullptr) own(row, to);
}

void Database::leave(const Member& self) {
  std::erase_if(members_, [&](const Member& member) {
    return member.node == self.node && member.incarnation == self.incarnation;
  });
}

WriteOutcome Database::commit(Shard shard, Epoch epoch, uint64_t expected, uint64_t write) {
  const OwnedShard& row = shards_[shard.value];
  auto& log = logs_[shard.value];
  if (mutations_.fence && row.epoch > epoch) return WriteOutcome::fenced;
  if (mutations_.version_check && log.size() != expected) return WriteOutcome::conflict;
  // Without its guards it overwrites like a key-value store.
  log.resize(std::min(log.size(), static_cast<size_t>(expected)));
  log.push_back({write, epoch, row.epoch, row.incarnation});
  return WriteOutcome::committed;
}

Database::Raised Database::raise(Shard shard, Epoch epoch) {
  OwnedShard& row = shards_[shard.value];
  const bool same = row.epoch == epoch;
  if (same) ++row.epoch.value;
  return {same, row.epoch};
}

}  // namespace parley::sim::shared
