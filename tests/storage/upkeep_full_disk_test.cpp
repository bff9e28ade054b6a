#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "storage/commit_sink.hpp"
#include "storage/damage.hpp"
#include "storage/keys.hpp"
#include "storage/upkeep.hpp"
#include "tests/storage/journal_driver.hpp"
#include "tests/storage/temporary_directory.hpp"

namespace parley::test {
namespace {

/// An upkeep with a store and a log of its own, on a disk without any room.
class UpkeepOnAFullDisk : public ::testing::Test {
 protected:
  static constexpr size_t k_memory_bytes = 96U << 20;

  void make(UpkeepOptions options) {
    auto store = RocksStore::open({dir_.path() + "/db", k_memory_bytes});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    applier_.emplace(*store_, heads_, damage_, log::Mark{}, ApplierOptions{},
                     Applier::Surroundings{[] { return true; }, [](bool) {}});
    sink_.emplace(heads_, *applier_, nullptr);
    auto lane = log::Lane::open({.directory = dir_.path() + "/log", .store_id = Driver::fresh_id()},
                                log::Mark{}, *sink_);
    ASSERT_TRUE(lane.ok()) << lane.status();
    lane_ = *std::move(lane);
    upkeep_.emplace(*store_, *applier_, *lane_, floor_, options);
  }

  void write(size_t bytes) {
    constexpr size_t k_row = 64U << 10;
    const std::string value(k_row, 'x');
    rocksdb::WriteBatch rows;
    for (size_t written = 0; written < bytes; written += k_row) {
      const auto key = keys::message({1}, history_, {++rows_});
      rows.Put(store_->family(Family::messages), key, value).PermitUncheckedError();
    }
    const Status status = store_->write(rows);
    ASSERT_TRUE(status.ok()) << status;
  }
  /// Nobody here asks RocksDB to.
  [[nodiscard]] bool flushed_by_itself() const {
    uint64_t count = 0;
    // In this order: what leaves the first is in the second already.
    for (const char* property :
         {"rocksdb.num-immutable-mem-table", "rocksdb.num-files-at-level0"}) {
      std::string told;
      EXPECT_TRUE(store_->db().GetProperty(store_->family(Family::messages), property, &told));
      count += std::stoul(told);
    }
    return count > 0;
  }

  TemporaryDirectory dir_;
  const Id128 history_ = Driver::fresh_id();
  uint64_t rows_ = 0;
  DiskFloor floor_{dir_.path(), 0, [] { return uint64_t{0}; }};
  std::unique_ptr<RocksStore> store_;
  Heads heads_{Driver::k_shards, [](const std::shared_ptr<Pending>&) {}};
  Damage damage_;
  std::optional<Applier> applier_;
  std::optional<CommitSink> sink_;
  std::unique_ptr<log::Lane> lane_;
  std::optional<Upkeep> upkeep_;
};

// It went round and round until the next attempt.
TEST_F(UpkeepOnAFullDisk, SleepsBetweenAFailedFlushAndTheNextAttempt) {
  make({.flush_bytes = 0, .rest_after = std::chrono::hours(1)});  // each round is worth a flush
  upkeep_->after_round(false);
  upkeep_->start();
  constexpr uint64_t k_attempts = 2;
  while (upkeep_->failed_flushes() < k_attempts) std::this_thread::yield();
  const uint64_t turns = upkeep_->turns();
  // Asked after the turns: there may be more of them meanwhile, never fewer.
  const uint64_t attempts = upkeep_->failed_flushes();
  // The attempt, and a look that finds it too early for the next.
  constexpr uint64_t k_turns_an_attempt = 2;
  EXPECT_LE(turns, (attempts + 1) * k_turns_an_attempt);
}

// With larger flushes the applier would have gone on to where RocksDB flushes by itself, which
// Debian's does not survive on a full disk.
TEST_F(UpkeepOnAFullDisk, HoldsTheApplierBackBeforeRocksDbFlushesByItself) {
  make(UpkeepOptions::within(k_memory_bytes));
  while (upkeep_->may_apply() && !flushed_by_itself()) write(1);
  EXPECT_GT(store_->memtable_bytes(), k_memory_bytes / 4) << "what memory there is, is used";
  // A round that was let through just before.
  write(ApplierOptions{}.round_payload);
  write(1);  // RocksDB looks at its bound before each write
  EXPECT_FALSE(flushed_by_itself());
}

}  // namespace
}  // namespace parley::test
