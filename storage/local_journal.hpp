#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "conversation/limits.hpp"
#include "storage/journal.hpp"
#include "storage/offline.hpp"

namespace parley {

class Applier;
class CommitSink;
class Damage;
class DataDir;
class DiskFloor;
class Heads;
class ForeignHistories;
class PageFill;
class RocksStore;
class ShardCopy;
class StoreView;
class Upkeep;
struct Identity;
namespace log {
class Disk;
class Lane;
struct Mark;
}  // namespace log

struct LocalOptions {
  std::string data_dir;
  uint32_t shard_count = 256;
  /// Of blocks read and rows not yet flushed, together.
  size_t memory_bytes = 96U << 20;
  uint64_t log_segment_bytes = 64ULL << 20;
  /// Erased content begins to leave the files within this time.
  std::chrono::seconds scrub_every{10};
  /// Without a change for so long, the store's files are merged.
  std::chrono::milliseconds rest_after{10'000};
  /// Below this much free space nothing but deletions is committed.
  uint64_t disk_floor_bytes = 256ULL << 20;
  Limits limits;
  std::string backup_dir;  ///< empty: data_dir/backups
  /// Called once, on a thread of the journal's, when its log has failed: the process is to end. A
  /// restart finds out what was written.
  std::function<void(std::string)> on_fatal;

  // For tests.
  bool compress = true;                  ///< off: stored bytes are legible on disk
  log::Disk* disk = nullptr;             ///< null: the real one
  std::function<uint64_t()> free_bytes;  ///< empty: the file system is asked
};

struct BackupInfo {
  int64_t id = 0;
  WallTime create_time;
  uint64_t bytes = 0;
  uint64_t files = 0;
};

/// Counters since start, and a few gauges.
struct LocalStats {
  uint64_t groups = 0;  ///< written and synced
  uint64_t commits = 0;
  uint64_t log_bytes = 0;
  uint64_t log_write_micros = 0;  ///< sum over groups: write and sync
  uint64_t log_refused = 0;
  uint64_t log_segments = 0;  ///< now, not let go of
  uint64_t applied_frame = 0;
  uint64_t durable_frame = 0;
  uint64_t rounds = 0;
  uint64_t waiting_bytes = 0;  ///< durable, not applied yet
  uint64_t store_write_failures = 0;
  uint64_t flushes = 0;
  uint64_t scrubs = 0;
  uint64_t rests = 0;  ///< times that the files were merged, or found so, in a quiet moment
  uint64_t snapshots_asked = 0;
  uint64_t damaged_reads = 0;
  uint64_t active = 0;  ///< conversations loaded
  uint64_t disk_free = 0;
};

/// The journal of one machine: a write-ahead log that answers, and RocksDB behind it that
/// remembers.
///
/// Owned by the server, one for a data directory. Any thread may call; reads block on the disk.
/// Waiters are told on the log's thread or, when refused, on the caller's. Invariants: I1, I3, I7,
/// I10 as in Heads, CommitSink and Applier; after a failed sync nothing is written. Not its job:
/// ending the process (on_fatal), deciding when to scrub or flush (Upkeep).
class LocalJournal final : public Journal {
 public:
  /// Creates the store where there is none, else replays what the last process left. Errors name
  /// the file and the remedy: FAILED_PRECONDITION (in use, other shard count, newer format),
  /// DATA_LOSS.
  static Result<std::unique_ptr<LocalJournal>> open(LocalOptions options);
  ~LocalJournal() override;
  LocalJournal(const LocalJournal&) = delete;
  LocalJournal& operator=(const LocalJournal&) = delete;

  Result<Loaded> load(const ConversationKey& key, Shard shard) override;
  void commit(Commit commit, CommitWaiter* waiter) override;
  void keep_snapshot(const ConversationKey& key, Shard shard,
                     std::shared_ptr<const State> state) override;
  void release(const ConversationKey& key) override;
  Status raise_epoch(Shard shard, Epoch epoch) override;
  Epoch epoch(Shard shard) const override;
  Result<State> read_state(const ConversationKey& key, Shard shard) override;
  Result<State> read_state_at(const ConversationKey& key, Shard shard, Version version) override;
  Result<EventList> read_events(const ConversationKey& key, Shard shard, Version after,
                                PageBounds bounds) override;
  Result<std::vector<Message>> read_messages(const MessageRange& range, PageBounds bounds) override;
  Result<ListedPage> list(const ListQuery& query) override;
  Result<std::vector<UnfinishedRelease>> unfinished_releases() override;

  /// Where it is to read what forks share with parents of other nodes. Before anything is loaded;
  /// outlives the journal's use.
  void look_elsewhere(ForeignHistories& foreign) { foreign_ = &foreign; }

  /// Deletes a damaged conversation, which cannot be loaded to be deleted. FAILED_PRECONDITION
  /// where it is not damaged.
  Status erase(const ConversationKey& key, Shard shard);
  /// Does now, and waits for, what erased content would get within seconds: leaving every file.
  Status scrub();
  /// Everything committed so far is in the store's files when it returns OK.
  Status flush();
  /// Forgets what is left of deleted conversations whose retries are over, `passed` after the last
  /// time. Done every ten minutes anyway.
  Status purge(std::chrono::microseconds passed);

  // A shard on its way to or from another node. While any of these is used, nobody commits to the
  // shard here, but for what is copied while it is still in use. All block.

  /// What is committed is in what copies give out next, once this has returned OK.
  Status settle();
  std::unique_ptr<ShardCopy> copy_shard(Shard shard);
  /// What a ShardCopy gave out, in its order. In the store's files after the next flush().
  /// DATA_LOSS or INVALID_ARGUMENT where it is nothing that such a copy gives.
  Status take_rows(Shard shard, std::string_view changes);
  /// Nothing of the shard is here any more, in any file within seconds.
  Status erase_shard(Shard shard);

  Result<BackupInfo> create_backup();
  Result<std::vector<BackupInfo>> list_backups();  ///< oldest first
  /// Reads the files of a backup and compares their checksums.
  Status verify_backup(int64_t id);
  /// verify_store for a store in use: checks what was committed before it began.
  Result<VerifyReport> verify(const std::function<void(const VerifyReport&)>& progress);

  /// For tests. Off: closing leaves what a killed process would leave.
  void flush_on_close(bool on) { flush_on_close_ = on; }

  [[nodiscard]] std::string store_id() const;
  [[nodiscard]] uint32_t shard_count() const { return options_.shard_count; }
  [[nodiscard]] const std::string& backup_dir() const { return options_.backup_dir; }
  [[nodiscard]] size_t damaged_count() const;
  [[nodiscard]] bool failed() const;
  [[nodiscard]] bool disk_full() const;
  [[nodiscard]] LocalStats stats() const;

 private:
  explicit LocalJournal(LocalOptions options);
  Status start();
  Status replay(log::Mark* last, log::Mark* stored);
  Status open_lane(log::Mark last, log::Mark stored);
  Status restore_marks();

  Status await(const ConversationKey& key, uint64_t hash);
  Status check_undamaged(const ConversationKey& key, uint64_t hash) const;
  Status note(const ConversationKey& key, uint64_t hash, Status status);
  [[nodiscard]] bool elsewhere(Shard shard) const;
  /// What `read` found, unless the shard passed on meanwhile: then its rows may have been gone.
  template <class Read>
  auto while_here(Shard shard, Read read) const -> decltype(read()) {
    const Epoch before = epoch(shard);
    auto found = read();
    if (elsewhere(shard) || epoch(shard) != before) return passed_on();
    return found;
  }
  static Status passed_on();
  [[nodiscard]] MessageRange recent_here(const State& state, Shard shard) const;
  Result<std::vector<Message>> read_recent(const State& state, Shard shard);
  Result<std::vector<Message>> read_across(const MessageRange& range, PageBounds bounds);
  Status read_elsewhere(HistorySpan part, bool newest_first, PageBounds bounds,
                        std::vector<Message>& messages, PageFill& fill);
  void submit(std::shared_ptr<struct Pending> pending);
  Result<Commit> erasure_of(const ConversationKey& key, Shard shard, uint64_t hash);

  LocalOptions options_;
  bool flush_on_close_ = true;
  std::atomic<ForeignHistories*> foreign_{nullptr};  ///< null where all histories are here
  // In the order in which they are made; they end in the opposite one.
  std::unique_ptr<DataDir> dir_;
  std::unique_ptr<Identity> identity_;
  std::unique_ptr<DiskFloor> floor_;
  std::unique_ptr<Damage> damage_;
  std::unique_ptr<RocksStore> store_;
  std::unique_ptr<Heads> heads_;
  std::unique_ptr<Applier> applier_;
  std::unique_ptr<CommitSink> sink_;
  std::unique_ptr<log::Lane> lane_;
  std::unique_ptr<Upkeep> upkeep_;
  std::atomic<uint64_t> snapshots_asked_{0};
};

}  // namespace parley
