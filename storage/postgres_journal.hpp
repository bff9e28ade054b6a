#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "conversation/limits.hpp"
#include "storage/heads.hpp"
#include "storage/journal.hpp"
#include "storage/postgres/commit_lane.hpp"
#include "storage/postgres/session_pool.hpp"
#include "storage/shard_parts.hpp"

namespace parley {

struct PostgresOptions {
  postgres::ConnectionOptions connection;
  uint32_t shard_count = 256;
  size_t lanes = 2;                ///< sessions that write
  size_t group_commits_max = 128;  ///< that are written by one statement
  size_t read_sessions = 4;        ///< reads at once
  size_t queued_bytes_max = 64U << 20;
  bool accept_async_loss = false;  ///< else a database that may lose what it committed is refused
  Limits limits;
};

/// The journal of one part of the shards: tables of one PostgreSQL database.
///
/// Owned by PostgresJournals, which asks for shards of its part alone. Any thread may call; reads
/// wait for the database, never longer than the connection's options say. Waiters are told on a
/// lane's thread or, when refused, on the caller's.
/// Invariants: I1, I3 and I7 by the database itself (parley.commit_1), which takes a batch only
/// under the shard's epoch and on the version that is stored, and none of a shard that is not in
/// its tables; I10, for a commit is visible before it is told. Unlike a local journal's, an outcome
/// that is unknown is not the end: the epochs of its shards rise, and what is loaded next is true.
/// Not its job: who owns which shard; which database is which.
class PostgresJournal final : public Journal {
 public:
  /// Nothing can be read or written before `start`.
  PostgresJournal(PostgresOptions options, ShardParts parts, uint32_t part);
  /// Writes what was submitted, as far as the database answers.
  ~PostgresJournal() override;
  PostgresJournal(const PostgresJournal&) = delete;
  PostgresJournal& operator=(const PostgresJournal&) = delete;

  /// By a session of a database that is known to be the right one. Once.
  Status start(postgres::Connection& session);

  Result<Loaded> load(const ConversationKey& key, Shard shard) override;
  void commit(Commit commit, CommitWaiter* waiter) override;
  void keep_snapshot(const ConversationKey& key, Shard shard,
                     std::shared_ptr<const State> state) override;
  void release(const ConversationKey& key) override;
  Status raise_epoch(Shard shard, Epoch epoch) override;
  Epoch epoch(Shard shard) const override { return heads_.epoch(shard); }
  Result<State> read_state(const ConversationKey& key, Shard shard) override;
  Result<State> read_state_at(const ConversationKey& key, Shard shard, Version version) override;
  Result<EventList> read_events(const ConversationKey& key, Shard shard, Version after,
                                PageBounds bounds) override;
  Result<std::vector<Message>> read_messages(const MessageRange& range, PageBounds bounds) override;
  Result<ListedPage> list(const ListQuery& query) override;
  Result<std::vector<UnfinishedRelease>> unfinished_releases() override;

  /// The shard is owned under this epoch, as the tables say already.
  void know_epoch(Shard shard, Epoch epoch) {
    heads_.raise(shard, epoch, [](Epoch) {});
  }
  /// Forgets what is left of deleted conversations whose retries are over by the database's clock.
  Status purge();
  /// Whether the database is taken not to answer: whoever renews a lease there says so. Where there
  /// are several, nobody waits for one that does not.
  [[nodiscard]] std::atomic<bool>& away() { return away_; }

 private:
  Result<Loaded> read_for(const ConversationKey& key, Shard shard);
  [[nodiscard]] MessageRange recent_here(const State& state, Shard shard) const;
  [[nodiscard]] postgres::CommitLane& lane(Shard shard) const {
    return *lanes_[shard.value % lanes_.size()];
  }
  [[nodiscard]] Shard shard_of_key(const ConversationKey& key) const {
    return shard_of(key_hash(key), options_.shard_count);
  }

  const PostgresOptions options_;
  const ShardParts parts_;
  const uint32_t part_;
  std::atomic<bool> away_{true};  ///< until it is started
  /// A commit's outcome is unknown: nothing is read for an activation before that is settled.
  std::vector<std::atomic<bool>> uncertain_;
  Heads heads_;
  postgres::SessionPool sessions_;
  std::vector<std::unique_ptr<postgres::CommitLane>> lanes_;
};

}  // namespace parley
