#include "storage/postgres_journal.hpp"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "storage/memory_bytes.hpp"
#include "storage/pages.hpp"
#include "storage/postgres/reads.hpp"

namespace parley {

using postgres::Parameters;

namespace {

constexpr int k_purged_at_once = 1'000;

}  // namespace

PostgresJournal::PostgresJournal(PostgresOptions options, ShardParts parts, uint32_t part)
    : options_(std::move(options)),
      parts_(parts),
      part_(part),
      uncertain_(options_.shard_count),
      heads_(options_.shard_count,
             [this](std::shared_ptr<Pending> pending) {
               const Shard shard = pending->commit.shard;
               lane(shard).submit(std::move(pending));
             }),
      sessions_(options_.connection, options_.read_sessions, parts_.parts > 1 ? &away_ : nullptr) {
  for (size_t i = 0; i < options_.lanes; ++i) {
    lanes_.push_back(std::make_unique<postgres::CommitLane>(
        postgres::CommitLane::Options{.connection = options_.connection,
                                      .group_commits_max = options_.group_commits_max},
        heads_, uncertain_));
  }
}

PostgresJournal::~PostgresJournal() {
  heads_.close();
  lanes_.clear();
}

Status PostgresJournal::start(postgres::Connection& session) {
  const auto epochs = session.run("SELECT shard, epoch FROM parley.shards");
  if (!epochs.ok()) return epochs.status();
  for (int i = 0; i < epochs->count(); ++i) {
    heads_.restore_epoch({static_cast<uint16_t>(epochs->number(i, 0))},
                         {static_cast<uint64_t>(epochs->number(i, 1))});
  }
  away_ = false;
  return absl::OkStatus();
}

/// A fresh activation does not wait for another database: its window holds what of the newest is
/// here.
MessageRange PostgresJournal::recent_here(const State& state, Shard shard) const {
  MessageRange range = recent_range(state, shard);
  const auto last_elsewhere = std::ranges::find_if(
      range.spans.rbegin(), range.spans.rend(),
      [this](const HistorySpan& span) { return parts_.part_of(span.shard) != part_; });
  range.spans.erase(range.spans.begin(), last_elsewhere.base());
  return range;
}

/// State and window, of one version: what a reset takes away between two statements is not damage.
Result<Loaded> PostgresJournal::read_for(const ConversationKey& key, Shard shard) {
  while (true) {
    Loaded loaded;
    auto state = postgres::read_stored_state(sessions_, key, {}, &loaded.events_since_snapshot);
    if (!state.ok()) return state.status();
    loaded.state = *std::move(state);
    const size_t window = loaded.state.policy.hot_window_messages;
    if (loaded.state.last_sequence.value == 0 || window == 0) return loaded;
    auto recent = postgres::read_stored_messages(
        sessions_, recent_here(loaded.state, shard),
        {.count_max = window, .bytes_max = options_.limits.hot_window_bytes});
    if (recent.ok()) {
      loaded.recent.assign(std::make_move_iterator(recent->rbegin()),
                           std::make_move_iterator(recent->rend()));
      return loaded;
    }
    if (!absl::IsDataLoss(recent.status())) return recent.status();
    const auto now = postgres::read_head(sessions_, key);
    if (!now.ok()) return now.status();
    if (*now && (*now)->head.version == loaded.state.version) return recent.status();
  }
}

Result<Loaded> PostgresJournal::load(const ConversationKey& key, Shard shard) {
  Loaded loaded;
  auto state = heads_.load(key, shard, [&]() -> Result<State> {
    if (uncertain_[shard.value]) {
      return absl::UnavailableError(
          "the database has not said yet what became of earlier changes; try again");
    }
    auto read = read_for(key, shard);
    if (!read.ok()) return read.status();
    loaded = *std::move(read);
    return loaded.state;
  });
  if (!state.ok()) return state.status();
  return loaded;
}

void PostgresJournal::commit(Commit commit, CommitWaiter* waiter) {
  Bell bell;
  // Where there are several databases, what waits for one that is away is in the others' way.
  const bool away = parts_.parts > 1 && away_;
  if (away || lane(commit.shard).queued_bytes() > options_.queued_bytes_max) {
    return bell.tell(*waiter, WriteOutcome::not_written);
  }
  const size_t bytes = sizeof(Pending) + memory_bytes(commit);
  auto pending = std::make_shared<Pending>(std::move(commit), waiter);
  pending->bytes = bytes;
  if (const auto outcome = heads_.admit(pending)) bell.tell(*waiter, *outcome);
}

void PostgresJournal::keep_snapshot(const ConversationKey& key, Shard shard,
                                    std::shared_ptr<const State> state) {
  if (state->exists) lane(shard).keep_snapshot({key, std::move(state)});
}

void PostgresJournal::release(const ConversationKey& key) {
  heads_.release(key, shard_of_key(key));
}

Status PostgresJournal::raise_epoch(Shard shard, Epoch epoch) {
  const auto rows = sessions_.run(
      "UPDATE parley.shards SET epoch = greatest(epoch, $2) WHERE shard = $1 RETURNING epoch",
      Parameters().int4(shard.value).int8(static_cast<int64_t>(epoch.value)));
  if (!rows.ok()) return rows.status();
  if (rows->count() != 1) {
    return absl::DataLossError(
        absl::StrCat("shard ", shard.value, " is not in the table parley.shards"));
  }
  heads_.raise(shard, {static_cast<uint64_t>(rows->number(0, 0))}, [](Epoch) {});
  return absl::OkStatus();
}

Result<State> PostgresJournal::read_state(const ConversationKey& key, Shard) {
  auto state = postgres::read_stored_state(sessions_, key);
  if (state.ok() && !state->exists) return nothing_stored(key);
  return state;
}

Result<State> PostgresJournal::read_state_at(const ConversationKey& key, Shard, Version version) {
  if (version.value == 0) return version_not_stored(key, version, {});
  return postgres::read_stored_state(sessions_, key, version);
}

Result<EventList> PostgresJournal::read_events(const ConversationKey& key, Shard, Version after,
                                               PageBounds bounds) {
  return postgres::read_stored_events(sessions_, key, after, bounds);
}

Result<std::vector<Message>> PostgresJournal::read_messages(const MessageRange& range,
                                                            PageBounds bounds) {
  return postgres::read_stored_messages(sessions_, range, bounds);
}

Result<ListedPage> PostgresJournal::list(const ListQuery& query) {
  return postgres::read_list(sessions_, query);
}

Result<std::vector<UnfinishedRelease>> PostgresJournal::unfinished_releases() {
  const auto rows = sessions_.run(
      "SELECT tenant, thread_id FROM parley.conversations WHERE owes_parents", Parameters());
  if (!rows.ok()) return rows.status();
  std::vector<UnfinishedRelease> unfinished;
  for (int i = 0; i < rows->count(); ++i)
    unfinished.push_back({{rows->text(i, 0), rows->text(i, 1)}});
  return unfinished;
}

Status PostgresJournal::purge() {
  while (true) {
    const auto purged = sessions_.run(
        "DELETE FROM parley.conversations WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
        "parley.conversations WHERE NOT is_live AND forget_time <= now() LIMIT $1)) "
        "AND NOT is_live AND forget_time <= now() RETURNING 1",
        Parameters().int4(k_purged_at_once));
    if (!purged.ok()) return purged.status();
    if (purged->count() < k_purged_at_once) return absl::OkStatus();
  }
}

}  // namespace parley
