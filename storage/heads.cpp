#include "storage/heads.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace parley {

Heads::Heads(uint32_t shard_count, Submit submit)
    : submit_(std::move(submit)), epochs_(shard_count) {
  for (auto& epoch : epochs_) epoch.store(1, std::memory_order_relaxed);
}

uint64_t Heads::history_key(const Id128& history) {
  uint64_t key = 0;
  std::memcpy(&key, history.bytes.data(), sizeof key);
  uint64_t rest = 0;
  std::memcpy(&rest, history.bytes.data() + sizeof key, sizeof rest);
  return key ^ (rest * 0x9e3779b97f4a7c15);
}

Result<State> Heads::load(const ConversationKey& key, Shard shard,
                          const std::function<Result<State>()>& read) {
  Stripe& at = stripe(shard);
  std::unique_lock lock(at.mutex);
  auto& slot = at.entries[key];
  if (!slot) slot = std::make_unique<ActiveHead>();
  ActiveHead& head = *slot;
  ++head.loading;
  while (true) {
    // Why: what is under way may become durable after the read.
    at.settled.wait(lock, [&] { return !head.in_flight; });
    const uint64_t changes = head.changes;
    lock.unlock();
    Result<State> state = read();
    lock.lock();
    if (state.ok() && (head.in_flight || head.changes != changes)) continue;
    --head.loading;
    if (state.ok()) {
      ++head.loads;
      head.version = state->version;
      head.history = state->current.history;
    }
    forget_if_idle(at, key);
    return state;
  }
}

void Heads::forget_if_idle(Stripe& at, const ConversationKey& key) {
  const auto found = at.entries.find(key);
  if (found == at.entries.end()) return;
  const ActiveHead& head = *found->second;
  if (head.loads == 0 && head.loading == 0 && !head.in_flight) at.entries.erase(found);
}

void Heads::release(const ConversationKey& key, Shard shard) {
  Stripe& at = stripe(shard);
  const std::lock_guard lock(at.mutex);
  const auto found = at.entries.find(key);
  if (found == at.entries.end() || found->second->loads == 0) return;
  --found->second->loads;
  forget_if_idle(at, key);
}

bool Heads::if_not_loaded(const ConversationKey& key, Shard shard,
                          const std::function<void()>& act) {
  Stripe& at = stripe(shard);
  const std::lock_guard lock(at.mutex);
  if (at.entries.contains(key)) return false;
  act();
  return true;
}

std::optional<WriteOutcome> Heads::admit(std::shared_ptr<Pending>& pending) {
  Stripe& at = stripe(pending->commit.shard);
  const std::lock_guard lock(at.mutex);
  const auto found = at.entries.find(pending->commit.key);
  if (found == at.entries.end()) {
    const Commit& commit = pending->commit;
    return commit.epoch < epoch(commit.shard) ? WriteOutcome::fenced : WriteOutcome::conflict;
  }
  ActiveHead& head = *found->second;
  if (head.in_flight) {
    head.waiting.push_back(std::move(pending));
    return std::nullopt;
  }
  return hand_over(head, pending);
}

/// The caller holds the stripe's lock.
std::optional<WriteOutcome> Heads::hand_over(ActiveHead& head, std::shared_ptr<Pending>& pending) {
  const Commit& commit = pending->commit;
  if (closed_.load()) return WriteOutcome::not_written;
  if (commit.epoch < epoch(commit.shard)) return WriteOutcome::fenced;
  if (head.loads == 0 || commit.batch.expected != head.version) {
    return WriteOutcome::conflict;
  }
  const TouchedHistories histories = histories_of(commit.batch, head.history);
  pending->history_after = histories.after;
  for (const Id128& history : histories.touched) {
    pending->histories.push_back(history_key(history));
  }
  head.in_flight = true;
  pending->head = &head;
  submit_(std::move(pending));
  return std::nullopt;
}

void Heads::settle(const Pending& pending, WriteOutcome outcome, std::vector<Refused>& refused) {
  const Commit& commit = pending.commit;
  Stripe& at = stripe(commit.shard);
  {
    const std::lock_guard lock(at.mutex);
    ActiveHead& head = *pending.head;
    PARLEY_CHECK(head.in_flight);
    head.in_flight = false;
    ++head.changes;
    if (outcome == WriteOutcome::committed) {
      head.history = pending.history_after;
      head.version = commit.batch.after;
    }
    while (!head.waiting.empty() && !head.in_flight) {
      auto next = head.waiting.pop_front();
      CommitWaiter* waiter = next->waiter;
      if (const auto refusal = hand_over(head, next)) refused.push_back({waiter, *refusal});
    }
    if (head.loads == 0) forget_if_idle(at, commit.key);
  }
  at.settled.notify_all();
}

void Heads::raise(Shard shard, Epoch epoch, const std::function<void(Epoch)>& submit) {
  PARLEY_CHECK(shard.value < epochs_.size());
  const std::lock_guard lock(stripe(shard).mutex);
  if (closed_.load()) return;
  auto& kept = epochs_[shard.value];
  kept.store(std::max(kept.load(), epoch.value));
  submit({kept.load()});
}

void Heads::restore_epoch(Shard shard, Epoch epoch) {
  PARLEY_CHECK(shard.value < epochs_.size());
  auto& kept = epochs_[shard.value];
  kept.store(std::max(kept.load(), epoch.value));
}

Epoch Heads::epoch(Shard shard) const {
  PARLEY_CHECK(shard.value < epochs_.size());
  return {epochs_[shard.value].load()};
}

void Heads::close() {
  closed_.store(true);
  for (auto& at : stripes_)
    const std::lock_guard lock(at.mutex);  // whoever was about to submit is done
}

size_t Heads::size() const {
  size_t count = 0;
  for (const auto& at : stripes_) {
    const std::lock_guard lock(at.mutex);
    count += at.entries.size();
  }
  return count;
}

}  // namespace parley
