#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/sst_file_manager.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include "base/result.hpp"
#include "storage/family.hpp"
#include "storage/log/mark.hpp"
#include "storage/write_gate.hpp"

/// RocksDB as this project uses it. Included by the files of the local journal only.
namespace parley {

struct RocksOptions {
  std::string directory;
  size_t memory_bytes = 96U << 20;  ///< of blocks and memtables together
  /// Off only where stored bytes must be legible on disk: tests of erasure.
  bool compress = true;
  /// Called when the store's files cannot be written and no space would help: the process is to
  /// end.
  std::function<void(std::string)> on_fatal;
};

/// A status of RocksDB in this project's terms, with what to do.
Status from_rocks(const rocksdb::Status& status, std::string_view doing);

inline rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
inline std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

/// Is told of every batch that was written, by whoever wrote it: in the order of writing for rows
/// that one thread alone writes.
class WriteTap {
 public:
  virtual ~WriteTap() = default;
  virtual void wrote(const rocksdb::WriteBatch& batch) = 0;
};

class BackgroundErrors;
class MergesUnderWay;

/// An open RocksDB: its four column families, its options, its snapshots.
///
/// Owned by a local journal, or by an offline verification. Any thread.
/// Invariants: never writes a log of its own; whoever has it flushed, its files hold what was
/// written up to one moment in all families, each batch whole.
/// Not its job: keys (keys.hpp), values (codec.hpp), when to flush.
class RocksStore {
 public:
  static Result<std::unique_ptr<RocksStore>> open(const RocksOptions& options);
  /// Changes nothing on disk. FAILED_PRECONDITION where there is no store.
  static Result<std::unique_ptr<RocksStore>> open_read_only(const RocksOptions& options);
  ~RocksStore();
  RocksStore(const RocksStore&) = delete;
  RocksStore& operator=(const RocksStore&) = delete;

  rocksdb::DB& db() const { return *db_; }
  rocksdb::ColumnFamilyHandle* family(Family family) const {
    return handles_[static_cast<size_t>(family)];
  }

  Status write(rocksdb::WriteBatch& batch) const;
  /// `begin` runs between two writes: what a view shows that is made in it was written before, and
  /// everything after it is told.
  void add_tap(WriteTap& tap, const std::function<void()>& begin) const;
  /// It is told nothing more when this has returned.
  void remove_tap(WriteTap& tap) const;
  /// Everything written before is on disk when it returns OK.
  Status flush() const;
  /// RocksDB flushes by itself when memtables take more; unbounded during recovery.
  void bound_unflushed(size_t bytes) const;
  /// Bytes of memtables that are still written to.
  size_t unflushed_bytes() const;
  /// And of those being flushed.
  size_t memtable_bytes() const;
  /// The place in the log through which everything is in the store.
  Result<log::Mark> applied() const;
  static void put_applied(rocksdb::WriteBatch& batch, const RocksStore& store, log::Mark mark);
  static std::string encode_mark(log::Mark mark);

  rocksdb::SstFileManager& files() const { return *files_; }
  /// From now on files are merged in the background, as far as files() lets them.
  Status merge_files() const;
  /// Flushes, and writes the rows of [begin, end) anew: what was removed of it is in no live file
  /// then.
  Status rewrite(Family family, const std::string& begin, const std::string& end) const;
  /// Flushes, and merges a family's files into its last level, unless `given_up` becomes true,
  /// which is OK as well.
  Status merge_all(Family family, std::atomic<bool>& given_up) const;
  /// An error met in the background keeps it from taking writes until resume() returns OK.
  bool needs_resume() const;
  /// OK where there is nothing to resume from.
  Status resume() const;
  /// What merges under way may still write, at most.
  uint64_t merging_bytes() const;

 private:
  RocksStore() = default;
  rocksdb::Status write_unlogged(rocksdb::WriteBatch& batch) const;
  rocksdb::Status compact(rocksdb::CompactRangeOptions options, Family family,
                          const rocksdb::Slice* begin, const rocksdb::Slice* end) const;

  std::unique_ptr<rocksdb::Env> env_;
  std::shared_ptr<rocksdb::WriteBufferManager> buffers_;
  std::shared_ptr<rocksdb::SstFileManager> files_;
  /// One merge or recovery at a time: what is told of the flush of one opens the gate for no other.
  mutable std::mutex alone_;
  mutable WriteGate gate_;
  mutable std::mutex writes_;  ///< held while something is written and told; guards the taps
  mutable std::vector<WriteTap*> taps_;
  std::shared_ptr<BackgroundErrors> errors_;  ///< null where it is only read, as the next
  std::shared_ptr<MergesUnderWay> merges_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
};

/// What the store held at one moment: reads through it agree with each other.
///
/// On the stack of whoever reads. One thread at a time.
class StoreView {
 public:
  explicit StoreView(const RocksStore& store)
      : store_(&store), snapshot_(store.db().GetSnapshot()) {}
  ~StoreView() { store_->db().ReleaseSnapshot(snapshot_); }
  StoreView(const StoreView&) = delete;
  StoreView& operator=(const StoreView&) = delete;

  Result<std::optional<std::string>> get(Family family, std::string_view key) const;

  /// Keys in [begin, end) of one prefix of the family (`within_prefix`), or of the whole family.
  struct Bounds {
    std::string begin;
    std::string end;
    bool within_prefix = false;
    bool fill_cache = true;
  };
  /// An iterator and the bounds that it points into.
  class Scan {
   public:
    Scan(const StoreView& view, Family family, Bounds bounds);
    void seek(std::string_view key) { iterator_->Seek(slice(key)); }
    void next() { iterator_->Next(); }
    void previous() { iterator_->Prev(); }
    [[nodiscard]] bool valid() const { return iterator_->Valid(); }
    [[nodiscard]] std::string_view key() const { return view(iterator_->key()); }
    [[nodiscard]] std::string_view value() const { return view(iterator_->value()); }
    /// To be asked when `valid` is false: the end, or damage.
    [[nodiscard]] Status status() const;

   private:
    /// The iterator refers to these, so they stay where they are.
    struct Held {
      Bounds bounds;
      rocksdb::Slice lower;
      rocksdb::Slice upper;
    };
    std::unique_ptr<Held> held_;
    std::unique_ptr<rocksdb::Iterator> iterator_;
  };
  [[nodiscard]] Scan scan(Family family, Bounds bounds) const {
    return Scan(*this, family, std::move(bounds));
  }
  const RocksStore& store() const { return *store_; }

 private:
  const RocksStore* store_;
  const rocksdb::Snapshot* snapshot_;
};

}  // namespace parley
