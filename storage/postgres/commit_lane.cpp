#include "storage/postgres/commit_lane.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.hpp"
#include "storage/bytes.hpp"
#include "storage/codec.hpp"
#include "storage/postgres/commit_rows.hpp"

namespace parley::postgres {
namespace {

constexpr int k_tries = 3;
constexpr auto k_first_rest = std::chrono::milliseconds(50);
constexpr auto k_longest_rest = std::chrono::milliseconds(1'000);

/// As parley.commit_1 says it.
WriteOutcome outcome_of(std::string_view number) {
  switch (take_big<uint32_t>(number).value_or(UINT32_MAX)) {
    case 0:
      return WriteOutcome::committed;
    case 1:
      return WriteOutcome::fenced;
    case 2:
      return WriteOutcome::conflict;
    default:
      return WriteOutcome::unknown;
  }
}

std::vector<Shard> shards_of(const std::vector<std::shared_ptr<Pending>>& group) {
  std::vector<Shard> shards;
  for (const auto& pending : group) shards.push_back(pending->commit.shard);
  std::ranges::sort(shards);
  shards.erase(std::unique(shards.begin(), shards.end()), shards.end());
  return shards;
}

}  // namespace

CommitLane::CommitLane(Options options, Heads& heads, std::vector<std::atomic<bool>>& uncertain)
    : options_(std::move(options)),
      heads_(heads),
      uncertain_(uncertain),
      session_(options_.connection) {
  thread_ = std::thread([this] { run(); });
}

CommitLane::~CommitLane() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  thread_.join();
}

void CommitLane::submit(std::shared_ptr<Pending> pending) {
  queued_bytes_.fetch_add(pending->bytes, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(pending));
  }
  arrived_.notify_one();
}

void CommitLane::keep_snapshot(SnapshotWish wish) {
  {
    const std::lock_guard lock(mutex_);
    if (snapshots_.size() >= options_.snapshots_max) snapshots_.pop_front();
    snapshots_.push_back(std::move(wish));
  }
  arrived_.notify_one();
}

void CommitLane::run() {
  while (true) {
    std::optional<SnapshotWish> snapshot;
    Group group;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [this] { return stopping_ || !queue_.empty() || !snapshots_.empty(); });
      group = next_group();
      if (group.empty() && stopping_) return;
      if (group.empty()) {
        snapshot = std::move(snapshots_.front());
        snapshots_.pop_front();
      }
    }
    if (snapshot) {
      write_snapshot(*snapshot);
    } else {
      write(group);
    }
  }
}

/// The caller holds the lock.
CommitLane::Group CommitLane::next_group() {
  Group group;
  size_t bytes = 0;
  while (!queue_.empty() && group.size() < options_.group_commits_max &&
         (group.empty() || bytes + queue_.front()->bytes <= options_.group_bytes_max)) {
    bytes += queue_.front()->bytes;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  return group;
}

Result<std::vector<WriteOutcome>> CommitLane::try_to_write(const Group& group) {
  CommitRows rows;
  for (const auto& pending : group) {
    // Nobody changes it while its commit is under way.
    rows.add(pending->commit, pending->head->history);
  }
  const Parameters parameters = rows.parameters();
  Status why;
  for (int i = 0; i < k_tries; ++i) {
    const auto answer = session_.run(CommitRows::k_statement, parameters);
    if (answer.ok()) {
      std::vector<WriteOutcome> outcomes;
      for (const std::string_view number : answer->array(0, 0)) {
        outcomes.push_back(outcome_of(number));
      }
      if (outcomes.size() == group.size()) return outcomes;
      return absl::UnknownError("the database answered a commit with something else");
    }
    why = answer.status();
    const bool again = absl::IsAborted(why) || absl::IsUnavailable(why);
    if (!again) break;
  }
  return why;
}

void CommitLane::write(const Group& group) {
  const auto outcomes = try_to_write(group);
  if (outcomes.ok()) return tell(group, *outcomes);
  const Status& why = outcomes.status();
  spdlog::error("{} commits were not written: {}", group.size(), why.ToString());
  if (absl::IsUnknown(why)) {
    // Why first: whoever is told may load at once.
    for (const Shard shard : shards_of(group)) uncertain_[shard.value] = true;
    tell_all(group, WriteOutcome::unknown);
    return settle_epochs(group);
  }
  if (absl::IsInternal(why) && group.size() > 1) return write_apart(group);
  tell_all(group, WriteOutcome::not_written);
}

void CommitLane::write_apart(const Group& group) {
  for (const auto& pending : group) write({pending});
}

void CommitLane::tell(const Group& group, const std::vector<WriteOutcome>& outcomes) {
  Bell bell;
  for (size_t i = 0; i < group.size(); ++i) settle(heads_, *group[i], outcomes[i], bell);
}

void CommitLane::tell_all(const Group& group, WriteOutcome outcome) {
  Bell bell;
  for (const auto& pending : group) settle(heads_, *pending, outcome, bell);
}

void CommitLane::settle_epochs(const Group& group) {
  const auto shards = shards_of(group);
  for (auto time = k_first_rest;; time = std::min(time * 2, k_longest_rest)) {
    const Status status = raise_epochs(group);
    if (status.ok()) break;
    turn_away();
    spdlog::warn("epochs not raised after commits of unknown outcome, to be tried again: {}",
                 status.ToString());
    // What is left uncertain is nobody's any more.
    if (!rest(time)) return;
  }
  for (const Shard shard : shards) uncertain_[shard.value] = false;
}

Status CommitLane::raise_epochs(const Group& group) {
  std::map<Shard, Epoch> written;
  for (const auto& pending : group) {
    Epoch& epoch = written[pending->commit.shard];
    epoch = std::max(epoch, pending->commit.epoch);
  }
  Array numbers(Type::int4);
  Array epochs(Type::int8);
  for (const auto& [shard, epoch] : written) {
    numbers.add(int4_value(shard.value));
    epochs.add(int8_value(static_cast<int64_t>(epoch.value)));
  }
  // Waits for a commit that is under way. Where the epoch is another one by now there is nothing to
  // wait for, and it is not for this node to write under: whose it is, ownership says.
  const auto raised = session_.run(
      "UPDATE parley.shards s SET epoch = s.epoch + 1 FROM unnest($1, $2) AS m(shard, epoch) "
      "WHERE s.shard = m.shard AND s.epoch = m.epoch RETURNING s.shard, s.epoch",
      Parameters().array(numbers).array(epochs));
  if (!raised.ok()) return raised.status();
  for (int i = 0; i < raised->count(); ++i) {
    heads_.restore_epoch({static_cast<uint16_t>(raised->number(i, 0))},
                         {static_cast<uint64_t>(raised->number(i, 1))});
  }
  return absl::OkStatus();
}

void CommitLane::turn_away() {
  while (true) {
    Group group;
    {
      const std::lock_guard lock(mutex_);
      group = next_group();
    }
    if (group.empty()) return;
    tell_all(group, WriteOutcome::not_written);
  }
}

/// Of this incarnation, not ahead of what is stored, and newer than the one that is there.
void CommitLane::write_snapshot(const SnapshotWish& wish) {
  const auto version = static_cast<int64_t>(wish.state->version.value);
  const auto kept = session_.run(
      "UPDATE parley.conversations SET snapshot = $3, snapshot_version = $4 WHERE tenant = $1 AND "
      "thread_id = $2 AND is_live AND history = $5 AND version >= $4 AND snapshot_version < $4",
      Parameters()
          .text(wish.key.tenant)
          .text(wish.key.thread)
          .bytes(encode_state(*wish.state))
          .int8(version)
          .uuid(wish.state->current.history));
  if (!kept.ok()) spdlog::debug("a snapshot was not kept: {}", kept.status().ToString());
}

bool CommitLane::rest(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !arrived_.wait_for(lock, time, [this] { return stopping_; });
}

}  // namespace parley::postgres
