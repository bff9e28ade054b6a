#include "storage/postgres/commit_lane.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.hpp"
#include "storage/bytes.hpp"
#include "storage/codec.hpp"

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

/// The database does not answer: what else there is would wait for it.
bool is_away(const Status& status) {
  return absl::IsUnknown(status) || absl::IsUnavailable(status);
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
    std::vector<Group> groups;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [this] { return stopping_ || !queue_.empty() || !snapshots_.empty(); });
      while (!queue_.empty() && groups.size() < options_.groups_max) {
        groups.push_back(next_group());
      }
      if (groups.empty() && stopping_) return;
      if (groups.empty()) {
        snapshot = std::move(snapshots_.front());
        snapshots_.pop_front();
      }
    }
    if (snapshot) {
      write_snapshot(*snapshot);
    } else if (groups.size() == 1) {
      write(groups.front()).IgnoreError();  // whoever waited was told
    } else {
      write(groups);
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

CommitRows CommitLane::rows_of(const Group& group) {
  CommitRows rows;
  for (const auto& pending : group) {
    // Nobody changes it while its commit is under way.
    rows.add(pending->commit, pending->head->history);
  }
  return rows;
}

CommitLane::Outcomes CommitLane::outcomes_of(const Group& group, const Result<Rows>& answer) {
  if (!answer.ok()) return answer.status();
  std::vector<WriteOutcome> outcomes;
  for (const std::string_view number : answer->array(0, 0)) outcomes.push_back(outcome_of(number));
  if (outcomes.size() == group.size()) return outcomes;
  return absl::UnknownError("the database answered a commit with something else");
}

CommitLane::Outcomes CommitLane::try_to_write(const Group& group) {
  const CommitRows rows = rows_of(group);
  const Parameters parameters = rows.parameters();
  Status why;
  for (int i = 0; i < k_tries; ++i) {
    auto outcomes = outcomes_of(group, session_.run(rows.statement(), parameters));
    why = outcomes.status();
    const bool again = absl::IsAborted(why) || absl::IsUnavailable(why);
    if (!again) return outcomes;
  }
  return why;
}

Status CommitLane::write(const Group& group) { return conclude(group, try_to_write(group)); }

void CommitLane::write(const std::vector<Group>& groups) {
  std::vector<Status> begun;
  const auto connection = session_.get();
  for (const Group& group : groups) {
    if (!connection.ok()) break;
    const CommitRows rows = rows_of(group);
    begun.push_back((*connection)->begin(rows.statement(), rows.parameters()));
    if (!begun.back().ok()) break;
  }
  Group uncertain;
  Status lost;  // why these are
  std::vector<std::pair<const Group*, Outcomes>> failed;
  for (size_t i = 0; i < groups.size(); ++i) {
    const Group& group = groups[i];
    // What was never sent, or not even to begin with, is written as if it had come later.
    Outcomes outcomes = absl::UnavailableError("not sent");
    if (i < begun.size() && !begun[i].ok()) outcomes = begun[i];
    if (i < begun.size() && begun[i].ok()) outcomes = outcomes_of(group, (*connection)->finish());
    if (outcomes.ok()) {
      tell(group, *outcomes);
    } else if (absl::IsUnknown(outcomes.status())) {
      uncertain.insert(uncertain.end(), group.begin(), group.end());
      lost.Update(outcomes.status());
    } else {
      failed.emplace_back(&group, std::move(outcomes));
    }
  }
  const auto of_no_use = [](const auto& each) {
    return absl::IsFailedPrecondition(each.second.status());
  };
  if (std::ranges::any_of(failed, of_no_use)) session_.drop();
  // Why last: the session takes nothing else while answers are to come.
  bool away = !uncertain.empty();
  for (const auto& [group, outcomes] : failed) {
    if (away) {
      // As what waits in the queue: whoever asks is not to wait until the database is back.
      tell_all(*group, WriteOutcome::not_written);
      continue;
    }
    const Status& why = outcomes.status();
    const bool again = absl::IsAborted(why) || absl::IsUnavailable(why);
    away = is_away(again ? write(*group) : conclude(*group, outcomes));
  }
  if (!uncertain.empty()) conclude(uncertain, lost).IgnoreError();
}

Status CommitLane::conclude(const Group& group, const Outcomes& outcomes) {
  if (outcomes.ok()) {
    tell(group, *outcomes);
    return absl::OkStatus();
  }
  const Status& why = outcomes.status();
  spdlog::error("{} commits were not written: {}", group.size(), why.ToString());
  if (absl::IsUnknown(why)) {
    // Why first: whoever is told may load at once.
    for (const Shard shard : shards_of(group)) uncertain_[shard.value] = true;
    tell_all(group, WriteOutcome::unknown);
    settle_epochs(group);
    return why;
  }
  if (absl::IsInternal(why) && group.size() > 1) return write_apart(group);
  tell_all(group, WriteOutcome::not_written);
  return why;
}

Status CommitLane::write_apart(const Group& group) {
  Status last;
  for (const auto& pending : group) {
    if (is_away(last)) {
      tell_all({pending}, WriteOutcome::not_written);
    } else {
      last = write(Group{pending});
    }
  }
  return last;
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
