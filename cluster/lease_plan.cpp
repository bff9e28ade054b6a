#include "cluster/lease_plan.hpp"

#include <algorithm>

namespace parley {

std::vector<Member> SilenceWatch::silent(const std::vector<Member>& members, SteadyTime now) {
  std::map<std::pair<std::string, Id128>, Seen> seen;
  std::vector<Member> silent;
  const bool watched = now.micros - looked_.micros < times_.lease_micros * 3 / 4;
  looked_ = now;
  for (const Member& member : members) {
    const std::pair key{member.node, member.incarnation};
    const auto before = seen_.find(key);
    const bool still =
        watched && before != seen_.end() && before->second.renewals == member.renewals;
    const Seen now_seen{member.renewals, still ? before->second.since : now};
    if (now.micros - now_seen.since.micros >= times_.lease_micros) silent.push_back(member);
    seen.emplace(key, now_seen);
  }
  seen_ = std::move(seen);
  return silent;
}

const Member* owner_of(const OwnedShard& shard, const std::vector<Member>& members) {
  const auto found = std::ranges::find_if(members, [&](const Member& member) {
    return member.node == shard.node && member.incarnation == shard.incarnation;
  });
  return found == members.end() ? nullptr : &*found;
}

LeasePlan plan_leases(const Membership& membership, const Member& self) {
  std::vector<NodeName> staying;
  for (const Member& member : membership.members) {
    if (!member.leaving) staying.push_back({member.node});
  }
  LeasePlan plan;
  if (staying.empty()) return plan;
  Layout now;
  for (const OwnedShard& shard : membership.shards) {
    const Member* owner = owner_of(shard, membership.members);
    const bool stays = owner != nullptr && !owner->leaving;
    now.push_back(stays ? NodeName{owner->node} : NodeName{});
  }
  const Layout wanted = place(now, staying);
  for (size_t i = 0; i < membership.shards.size(); ++i) {
    const OwnedShard& shard = membership.shards[i];
    const Member* owner = owner_of(shard, membership.members);
    if (owner == nullptr) {
      if (wanted[i].value == self.node && !self.leaving) plan.take.push_back(shard);
      continue;
    }
    const bool own = owner->node == self.node && owner->incarnation == self.incarnation;
    if (!own || wanted[i].value == self.node) continue;
    const auto to = std::ranges::find_if(
        membership.members, [&](const Member& member) { return member.node == wanted[i].value; });
    plan.give.emplace_back(shard.shard, *to);
  }
  return plan;
}

}  // namespace parley
