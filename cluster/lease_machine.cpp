#include "cluster/lease_machine.hpp"

#include <algorithm>
#include <utility>

namespace parley {
namespace {

/// Shards on their way from a node that stays, and from one that leaves.
constexpr int k_gives_at_once = 4;
constexpr int k_gives_at_once_leaving = 32;

}  // namespace

LeaseMachine::LeaseMachine(Options options, OwnershipTable& table, ShardGate& gate,
                           Neighbourhood& neighbours, LeaseHost& host)
    : options_(std::move(options)),
      table_(table),
      gate_(gate),
      neighbours_(neighbours),
      host_(host),
      self_(options_.self),
      watch_(options_.times),
      mine_(options_.shard_count) {
  self_.incarnation = options_.fresh();
}

void LeaseMachine::tick() {
  const SteadyTime now = options_.now();
  if (now >= next_round_) round();
  // Calls are held no longer than it may be known whose the shard is.
  for (uint32_t i = 0; i < options_.shard_count && now.micros >= lease_until_; ++i) {
    if (mine_[i].giving) stop_serving({static_cast<uint16_t>(i)}, {}, mine_[i].epoch);
  }
}

void LeaseMachine::round() {
  const SteadyTime begun = options_.now();
  next_round_ = {begun.micros + options_.times.renew_micros};
  const auto kept = keep_lease();
  if (!kept.ok()) return complain(kept.status());
  if (const Status status = settle_doubts(); !status.ok()) return complain(status);
  const auto seen = look_around();
  if (!seen.ok()) return complain(seen.status());
  silent_ = false;
  if (*kept) act(*seen);
  show();
}

void LeaseMachine::told(Shard shard, const NodeName& owner, Epoch epoch) {
  if (shard.value >= mine_.size() || options_.now().micros < lease_until_) return;
  if (!mine_[shard.value].serving || epoch <= mine_[shard.value].epoch) return;
  stop_serving(shard, owner, epoch);
  show();
}

void LeaseMachine::leave() {
  self_.leaving = true;
  round();
}

void LeaseMachine::stop() {
  stopped_ = true;
  set_lease(0);
  stop_serving_all();
  if (!joined_ && !may_have_joined_) return;
  if (const Status status = table_.leave(self_); !status.ok()) complain(status);
}

Result<bool> LeaseMachine::keep_lease() {
  // Why before it is sent: nobody can have counted from earlier.
  const SteadyTime sent = options_.now();
  // Why no second join where the first may have been heard: it counts as no renewal, so that others
  // have counted from the first one. An incarnation joins once.
  const bool renews = joined_ || may_have_joined_;
  // Why: a new lease would let calls be answered that began under one that is over.
  if (!renews && endings_ > 0) return false;
  auto kept = renews ? table_.renew(self_) : table_.join(self_);
  if (!kept.ok()) {
    if (absl::IsUnknown(kept.status())) may_have_joined_ = true;
    return kept;
  }
  if (*kept) {
    joined_ = true;
    set_lease(sent.micros + options_.times.lease_micros - options_.times.margin_micros);
  } else if (joined_) {
    lose_everything();
  } else if (renews) {
    begin_anew();
  }
  return kept;
}

Result<Membership> LeaseMachine::look_around() {
  auto seen = table_.read();
  if (!seen.ok()) return seen;
  std::vector<Member> others = seen->members;
  std::erase_if(others, [this](const Member& member) { return is_self(member); });
  const auto silent = watch_.silent(others, options_.now());
  if (!silent.empty()) {
    for (const Member& member : silent) host_.silent(member);
    if (Status status = table_.bury(silent); !status.ok()) return status;
    seen = table_.read();
    if (!seen.ok()) return seen;
  }
  neighbours_.members(seen->members);
  if (Status status = reconcile(*seen); !status.ok()) return status;
  alone_ = std::ranges::none_of(
      seen->members, [this](const Member& member) { return !is_self(member) && !member.leaving; });
  return seen;
}

Status LeaseMachine::reconcile(const Membership& seen) {
  for (const OwnedShard& shard : seen.shards) {
    if (shard.shard.value >= mine_.size()) continue;
    if (Status status = reconcile(shard, seen.members); !status.ok()) return status;
  }
  return absl::OkStatus();
}

Status LeaseMachine::reconcile(const OwnedShard& shard, const std::vector<Member>& members) {
  Mine& mine = mine_[shard.shard.value];
  const bool own = joined_ && shard.node == self_.node && shard.incarnation == self_.incarnation;
  if (!own) {
    const Member* owner = owner_of(shard, members);
    // An earlier start of this node's is nobody to send calls to.
    const bool another = owner != nullptr && owner->node != self_.node;
    const NodeName name{another ? owner->node : std::string()};
    if (mine.serving) stop_serving(shard.shard, name, shard.epoch);
    neighbours_.owned_elsewhere(shard.shard, name, shard.epoch);
    return absl::OkStatus();
  }
  const auto doubt = doubts_.find(shard.shard);
  if (doubt != doubts_.end() && doubt->second == shard.epoch) return absl::OkStatus();
  if (!mine.serving || mine.epoch != shard.epoch) {
    // Under a higher epoch than it was held under, it came back.
    if (Status status = gate_.serve(shard.shard, shard.epoch); !status.ok()) return status;
    mine = {.serving = true, .epoch = shard.epoch};
  } else if (mine.given_up) {
    gate_.resume(shard.shard);
    mine.giving.reset();
    mine.given_up = false;
    mine.quiet = false;
  }
  return absl::OkStatus();
}

void LeaseMachine::act(const Membership& seen) {
  LeasePlan plan = plan_leases(seen, self_);
  if (!plan.take.empty()) {
    if (Status status = table_.take(self_, plan.take); !status.ok()) return complain(status);
    const auto now = table_.read();
    if (!now.ok()) return complain(now.status());
    if (Status status = reconcile(*now); !status.ok()) return complain(status);
  }
  int under_way = 0;
  for (const Mine& mine : mine_) under_way += mine.giving ? 1 : 0;
  const int most = self_.leaving ? k_gives_at_once_leaving : k_gives_at_once;
  for (const auto& [shard, to] : plan.give) {
    const Mine& mine = mine_[shard.value];
    if (!mine.serving || mine.giving) continue;
    if (under_way++ >= most) break;
    begin_to_give(shard, to);
  }
  // The rest follows as soon as these are there.
  if (!plan.give.empty()) next_round_ = options_.now();
}

void LeaseMachine::begin_to_give(Shard shard, const Member& to) {
  Mine& mine = mine_[shard.value];
  mine.giving = to;
  mine.hold = ++holds_;
  gate_.hold(shard, [this, shard, hold = mine.hold] {
    host_.post([this, shard, hold] { on_held(shard, hold); });
  });
}

void LeaseMachine::on_held(Shard shard, uint64_t hold) {
  // Many of these one after the other take their time.
  if (options_.now() >= next_round_) {
    if (const auto kept = keep_lease(); !kept.ok()) complain(kept.status());
  }
  Mine& mine = mine_[shard.value];
  // What an earlier hold waited for says nothing of this one.
  if (!mine.serving || !mine.giving || mine.hold != hold) return;
  mine.quiet = true;
  const Member to = *mine.giving;
  // What the table says decides, now or as soon as it says anything.
  mine.given_up = true;
  if (const Status given = table_.give(self_, shard, mine.epoch, to); !given.ok()) {
    if (absl::IsUnknown(given)) doubts_[shard] = mine.epoch;
    next_round_ = options_.now();
    return complain(given);
  }
  const auto seen = table_.read();
  if (!seen.ok()) return complain(seen.status());
  if (const Status status = reconcile(*seen); !status.ok()) return complain(status);
  if (!mine.serving) neighbours_.tell_to_look({to.node});
  show();
}

Status LeaseMachine::settle_doubts() {
  while (!doubts_.empty()) {
    const auto [shard, epoch] = *doubts_.begin();
    if (Status status = table_.give(self_, shard, epoch, self_); !status.ok()) return status;
    doubts_.erase(doubts_.begin());
  }
  return absl::OkStatus();
}

void LeaseMachine::lose_everything() {
  host_.buried();
  doubts_.clear();
  set_lease(0);
  stop_serving_all();
  begin_anew();
}

void LeaseMachine::begin_anew() {
  joined_ = false;
  may_have_joined_ = false;
  self_.incarnation = options_.fresh();
  next_round_ = options_.now();
}

void LeaseMachine::stop_serving_all() {
  for (uint32_t i = 0; i < options_.shard_count; ++i) {
    if (mine_[i].serving) stop_serving({static_cast<uint16_t>(i)}, {}, mine_[i].epoch);
  }
}

void LeaseMachine::stop_serving(Shard shard, const NodeName& to, Epoch epoch) {
  if (const Status status = gate_.stop_serving(shard, to, epoch); !status.ok()) complain(status);
  const bool quiet = std::exchange(mine_[shard.value], {}).quiet;
  if (quiet || stopped_) return;
  ++endings_;
  gate_.when_quiet(shard, [this] { host_.post([this] { on_quiet(); }); });
}

void LeaseMachine::on_quiet() {
  if (--endings_ == 0 && !joined_) next_round_ = options_.now();
}

void LeaseMachine::set_lease(int64_t until_micros) {
  lease_until_ = until_micros;
  host_.lease_until({until_micros});
}

void LeaseMachine::complain(const Status& why) {
  if (!std::exchange(silent_, true)) host_.table_fails(why);
}

void LeaseMachine::show() {
  LeaseHost::View view;
  view.alone = alone_;
  view.looks.resize(mine_.size());
  for (size_t i = 0; i < mine_.size(); ++i) {
    const Mine& mine = mine_[i];
    if (!mine.serving) continue;
    ++view.serving;
    ShardsView::Look& look = view.looks[i];
    look.holding = {Holding::Kind::owned, mine.epoch, {}, 0};
    look.serving = !mine.giving;
    look.resting = !mine.giving;
    if (mine.giving) look.wanted = {mine.giving->node};
  }
  host_.show(std::move(view));
}

}  // namespace parley
