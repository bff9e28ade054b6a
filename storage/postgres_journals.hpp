#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/postgres_journal.hpp"

namespace parley {

/// The journal that the nodes of a cluster share: one PostgreSQL database or several, each with
/// everything of a part of the shards.
///
/// Owned by the server. Any thread may call, as of each PostgresJournal. A database that does not
/// answer costs its own shards: their calls fail, reads over all of them name what they lack.
/// Invariants: a database is asked for the shards that it recorded as its own at its first start,
/// and for no others; those of each PostgresJournal. Not its job: who owns which shard.
class PostgresJournals final : public Journal {
 public:
  /// Makes the tables where there are none. Errors say what to do. Of several databases some may be
  /// away, but not at the first start: `open_rest` gets them later.
  static Result<std::unique_ptr<PostgresJournals>> open(const PostgresOptions& each,
                                                        const std::vector<std::string>& urls);
  ~PostgresJournals() override;
  PostgresJournals(const PostgresJournals&) = delete;
  PostgresJournals& operator=(const PostgresJournals&) = delete;

  /// Those that were away, as far as they are back; OK when none is left. One thread at a time.
  Status open_rest();
  /// Which of them the shard is in.
  [[nodiscard]] const ShardParts& parts() const { return parts_; }
  [[nodiscard]] bool is_open(uint32_t part) const { return databases_[part]->open; }
  /// PostgresJournal::away
  [[nodiscard]] std::atomic<bool>& away(uint32_t part) { return databases_[part]->journal.away(); }

  Result<Loaded> load(const ConversationKey& key, Shard shard) override;
  void commit(Commit commit, CommitWaiter* waiter) override;
  void keep_snapshot(const ConversationKey& key, Shard shard,
                     std::shared_ptr<const State> state) override;
  void release(const ConversationKey& key) override;
  Status raise_epoch(Shard shard, Epoch epoch) override;
  Epoch epoch(Shard shard) const override { return of(shard).epoch(shard); }
  Result<State> read_state(const ConversationKey& key, Shard shard) override;
  Result<State> read_state_at(const ConversationKey& key, Shard shard, Version version) override;
  Result<EventList> read_events(const ConversationKey& key, Shard shard, Version after,
                                PageBounds bounds) override;
  Result<std::vector<Message>> read_messages(const MessageRange& range, PageBounds bounds) override;
  Result<ListedPage> list(const ListQuery& query) override;
  Result<std::vector<UnfinishedRelease>> unfinished_releases() override;

  /// PostgresJournal::know_epoch
  void know_epoch(Shard shard, Epoch epoch) { of(shard).know_epoch(shard, epoch); }
  /// PostgresJournal::purge, of every database that answers.
  Status purge();
  /// Of what is stored, in all databases together: for ever the same.
  [[nodiscard]] const std::string& store_id() const { return cluster_; }

 private:
  struct Database {
    Database(const PostgresOptions& options, ShardParts parts, uint32_t part)
        : connection(options.connection), journal(options, parts, part) {}

    const postgres::ConnectionOptions connection;
    PostgresJournal journal;
    std::atomic<bool> open{false};
  };

  PostgresJournals(const PostgresOptions& each, const std::vector<std::string>& urls);
  Status open_databases();
  [[nodiscard]] PostgresJournal& of(Shard shard) const {
    return databases_[parts_.part_of(shard)]->journal;
  }
  Result<std::vector<Message>> read_across(const MessageRange& range, PageBounds bounds);
  /// Asks each, and goes on where one is away, as long as there is another; `missing`: which are.
  Status ask_each(const std::function<Status(PostgresJournal&)>& ask,
                  std::vector<uint32_t>& missing);

  const bool accept_async_loss_;
  const ShardParts parts_;
  std::string cluster_;
  std::vector<std::unique_ptr<Database>> databases_;  ///< by the part that is theirs
};

}  // namespace parley
