#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include <rocksdb/listener.h>

#include "storage/write_gate.hpp"

/// What the store is told by RocksDB, on RocksDB's threads.
namespace parley {

/// What kept RocksDB from working in the background.
///
/// Owned by the store. Why an error other than of space ends the process: after a failed sync
/// nobody knows what the kernel kept; trying again would take its word for it. The log has
/// everything, so ending and replaying it loses nothing. A full disk is another matter: it gets
/// better.
class BackgroundErrors final : public rocksdb::EventListener {
 public:
  explicit BackgroundErrors(std::function<void(std::string)> on_fatal)
      : on_fatal_(std::move(on_fatal)) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override;
  /// RocksDB does not recover by itself: that flushes, and only the store knows how.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status error,
                            bool* by_itself) override;

  [[nodiscard]] bool met() const { return met_.load(std::memory_order_acquire); }
  void forget() { met_.store(false, std::memory_order_release); }
  void remember() { met_.store(true, std::memory_order_release); }

 private:
  const std::function<void(std::string)> on_fatal_;
  std::atomic<bool> met_{false};
};

/// Flushes and merges give way to calls.
class InBackground final : public rocksdb::EventListener {
 public:
  void OnCompactionBegin(rocksdb::DB* db, const rocksdb::CompactionJobInfo& merge) override;
  void OnFlushBegin(rocksdb::DB* db, const rocksdb::FlushJobInfo& flush) override;
};

/// Adds up the files that are being merged: as much may still be written.
///
/// Owned by the store.
class MergesUnderWay final : public rocksdb::EventListener {
 public:
  void OnCompactionBegin(rocksdb::DB* db, const rocksdb::CompactionJobInfo& merge) override;
  void OnCompactionCompleted(rocksdb::DB* db, const rocksdb::CompactionJobInfo& merge) override;
  [[nodiscard]] uint64_t bytes() const;

 private:
  mutable std::mutex mutex_;
  std::map<int, uint64_t> merges_;  ///< by job
  uint64_t bytes_ = 0;
};

/// Opens the store's gate when the flush of a merge begins: what it writes is chosen by then.
class OpenAtFlush final : public rocksdb::EventListener {
 public:
  explicit OpenAtFlush(WriteGate& gate) : gate_(gate) {}
  void OnFlushBegin(rocksdb::DB* db, const rocksdb::FlushJobInfo& flush) override;

 private:
  WriteGate& gate_;
};

}  // namespace parley
