#include "storage/applier.hpp"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/background.hpp"
#include "base/log.hpp"
#include "storage/keys.hpp"
#include "storage/memory_bytes.hpp"

namespace parley {
namespace {

using std::chrono::steady_clock;

constexpr auto k_retry_after = std::chrono::milliseconds(100);
/// A reader does not wait longer for the store to take what is durable in the log.
constexpr auto k_reader_patience = std::chrono::seconds(10);

template <class Item, class Visit>
void each_hash(const Item& item, Visit visit) {
  if (const auto* group = std::get_if<AppliedGroup>(&item.work)) {
    for (const auto& pending : group->commits) {
      visit(pending->commit.key_hash);
      for (const uint64_t history : pending->histories) visit(history);
    }
  }
}

}  // namespace

Applier::Applier(const RocksStore& store, Heads& heads, Damage& damage, log::Mark applied,
                 ApplierOptions options, Surroundings surroundings)
    : store_(store),
      damage_(damage),
      options_(options),
      surroundings_(std::move(surroundings)),
      forgetting_(store, heads, surroundings_.elsewhere) {
  stats_.applied = applied;
  thread_ = std::thread([this] { run(); });
}

Applier::~Applier() { stop(false); }

void Applier::enqueue(Item item, std::unique_lock<std::mutex>& lock) {
  item.ticket = ++last_ticket_;
  each_hash(item, [&](uint64_t hash) { pending_[hash] = item.ticket; });
  queued_memory_ += item.memory;
  if (queue_.empty()) oldest_ = steady_clock::now();
  const bool first = queue_.empty();
  queue_.push_back(std::move(item));
  const bool wake = first || is_round();
  lock.unlock();
  if (wake) arrived_.notify_one();
}

void Applier::add(AppliedGroup group) {
  std::unique_lock lock(mutex_);
  applied_changed_.wait(lock,
                        [&] { return queued_memory_ < options_.waiting_memory_max || !bounded_; });
  stats_.waiting_bytes += group.payload_bytes;
  const size_t memory = group.memory_bytes;
  enqueue({0, std::move(group), memory}, lock);
}

void Applier::lift_bound() {
  {
    const std::lock_guard lock(mutex_);
    bounded_ = false;
  }
  applied_changed_.notify_all();
}

void Applier::add_snapshot(ConversationKey key, uint64_t key_hash, Shard shard,
                           std::shared_ptr<const State> state) {
  std::unique_lock lock(mutex_);
  if (stopping_ || queued_memory_ >= options_.waiting_memory_max) return;  // it may be forgotten
  const size_t memory = memory_bytes(*state);
  enqueue({0, KeptState{std::move(key), key_hash, shard, std::move(state)}, memory}, lock);
}

void Applier::add_purge(std::chrono::microseconds passed) {
  std::unique_lock lock(mutex_);
  enqueue({0, Purge{passed}, 0}, lock);
}

Status Applier::change_rows(RowChanges changes) {
  size_t memory = 0;
  for (const RowChange& change : changes) memory += change.key.size() + change.value.size();
  const auto outcome = std::make_shared<Status>();
  std::unique_lock lock(mutex_);
  enqueue({0, Changes{std::move(changes), outcome}, memory}, lock);
  lock.lock();
  Status status = wait_until_applied(last_ticket_, lock);
  return status.ok() ? *outcome : status;
}

Status Applier::wait_for(std::span<const uint64_t> hashes) {
  std::unique_lock lock(mutex_);
  uint64_t ticket = 0;
  for (const uint64_t hash : hashes) {
    for (const auto* pending : {&applying_, &pending_}) {
      const auto found = pending->find(hash);
      if (found != pending->end()) ticket = std::max(ticket, found->second);
    }
  }
  return wait_until_applied(ticket, lock);
}

Status Applier::wait_for_all() {
  std::unique_lock lock(mutex_);
  return wait_until_applied(last_ticket_, lock);
}

Status Applier::wait_until_applied(uint64_t ticket, std::unique_lock<std::mutex>& lock) {
  if (ticket <= applied_ticket_) return absl::OkStatus();
  wanted_ticket_ = std::max(wanted_ticket_, ticket);
  arrived_.notify_one();
  const bool in_time = applied_changed_.wait_for(
      lock, k_reader_patience, [&] { return applied_ticket_ >= ticket || abandoned_; });
  if (in_time && applied_ticket_ >= ticket) return absl::OkStatus();
  return absl::UnavailableError(
      "the store does not take what is durable in the log yet; try again, and look at the disk if "
      "it "
      "stays");
}

bool Applier::is_round() const {
  return queued_memory_ >= options_.round_memory || stats_.waiting_bytes >= options_.round_payload;
}

bool Applier::due() const { return stopping_ || is_round() || wanted_ticket_ > applied_ticket_; }

void Applier::run() {
  work_in_background();
  std::unique_lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    arrived_.wait_until(lock, oldest_ + options_.gather, [&] { return due(); });
    if (abandoned_ || (stopping_ && queue_.empty())) break;
    if (queue_.empty()) continue;
    auto items = take(lock);
    lock.unlock();
    const bool erased = apply(items);
    lock.lock();
    if (abandoned_) break;
    forget_pending(items);
    // Why: freeing a round takes milliseconds, in which the log's thread would wait to hand over
    // the next group.
    lock.unlock();
    items.clear();
    surroundings_.after_round(erased);
    lock.lock();
  }
  abandoned_ = true;  // nobody waits for what comes now
  applied_changed_.notify_all();
}

/// So many from the front as one write should hold.
std::deque<Applier::Item> Applier::take(std::unique_lock<std::mutex>&) {
  std::deque<Item> items;
  applying_.swap(pending_);
  size_t memory = 0;
  size_t payload = 0;
  while (!queue_.empty() && memory < options_.round_memory && payload < options_.round_payload) {
    const Item& next = queue_.front();
    memory += next.memory;
    if (const auto* group = std::get_if<AppliedGroup>(&next.work)) payload += group->payload_bytes;
    items.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  oldest_ = steady_clock::now();
  return items;
}

void Applier::forget_pending(const std::deque<Item>& items) {
  applied_ticket_ = items.back().ticket;
  for (const Item& item : items) {
    queued_memory_ -= item.memory;
    if (const auto* group = std::get_if<AppliedGroup>(&item.work)) {
      stats_.applied = group->mark;
      stats_.waiting_bytes -= group->payload_bytes;
    }
  }
  // What this round did not take any more.
  if (!queue_.empty()) {
    for (const auto& [hash, ticket] : applying_) {
      if (ticket > applied_ticket_) pending_.try_emplace(hash, ticket);
    }
  }
  applying_.clear();
  ++stats_.rounds;
  applied_changed_.notify_all();
}

/// Why: what is durable in the log must reach the store. A store that refuses (a full disk) is
/// asked again until it takes it or the process ends; nothing is lost by that, the log keeps it.
/// True where content was erased.
bool Applier::apply(std::deque<Item>& items) {
  bool erased = false;
  while (true) {
    if (surroundings_.may_apply()) {
      const Status status = apply_once(items, &erased);
      if (status.ok()) break;
      spdlog::error("the store refuses a write, trying again: {}", status.ToString());
    }
    std::unique_lock lock(mutex_);
    ++stats_.write_failures;
    arrived_.wait_for(lock, k_retry_after, [&] { return stopping_; });
    if (stopping_) {
      abandoned_ = true;  // the next start replays it
      applied_changed_.notify_all();
      return false;
    }
  }
  for (const Item& item : items) {
    if (const auto* changes = std::get_if<Changes>(&item.work)) {
      *changes->outcome = write(changes->rows, &erased);
    }
    const auto* asked = std::get_if<Purge>(&item.work);
    if (asked == nullptr) continue;
    const auto more = forgetting_.purge(asked->passed);
    if (!more.ok()) spdlog::warn("forgetting deleted conversations: {}", more.status().ToString());
    // Behind what came meanwhile.
    if (more.ok() && *more) add_purge({});
  }
  return erased;
}

Status Applier::write(const RowChanges& changes, bool* erased) {
  rocksdb::WriteBatch batch;
  for (const RowChange& change : changes) {
    auto* family = store_.family(change.family);
    switch (change.kind) {
      case RowChange::Kind::put:
        batch.Put(family, change.key, change.value).PermitUncheckedError();
        break;
      case RowChange::Kind::remove:
        batch.Delete(family, change.key).PermitUncheckedError();
        break;
      case RowChange::Kind::remove_range:
        batch.DeleteRange(family, change.key, change.value).PermitUncheckedError();
        break;
    }
  }
  if (Status status = store_.write(batch); !status.ok()) return status;
  cache_ = {};
  for (const RowChange& change : changes) {
    if (change.family != Family::meta) continue;
    const auto hash = keys::parse_damaged(change.key);
    if (hash && change.kind == RowChange::Kind::put) damage_.mark(*hash);
    if (hash && change.kind != RowChange::Kind::put) damage_.clear(*hash);
    *erased = *erased || (!hash && change.kind == RowChange::Kind::put);
  }
  return absl::OkStatus();
}

Status Applier::apply_once(std::deque<Item>& items, bool* erased) {
  Round round(store_, cache_, damage_);
  std::optional<log::Mark> mark;
  for (const Item& item : items) {
    if (const auto* kept = std::get_if<KeptState>(&item.work)) {
      if (damage_.marked(kept->key_hash)) continue;
      Status status = round.add_snapshot(kept->key, kept->shard, kept->state);
      if (!status.ok()) return status;
    } else if (const auto* group = std::get_if<AppliedGroup>(&item.work)) {
      for (const auto& pending : group->commits) {
        if (Status status = round.add(pending->commit); !status.ok()) return status;
      }
      for (const auto& raised : group->raised) round.raise_epoch(raised.shard, raised.epoch);
      mark = group->mark;
    }
  }
  if (Status status = round.write(mark); !status.ok()) return status;
  *erased = round.erased();
  return absl::OkStatus();
}

log::Mark Applier::applied() const {
  const std::lock_guard lock(mutex_);
  return stats_.applied;
}

ApplierStats Applier::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void Applier::stop(bool apply_rest) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (!apply_rest) abandoned_ = true;
  }
  arrived_.notify_all();
  applied_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace parley
