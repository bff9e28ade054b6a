#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "storage/rocks_store.hpp"
#include "tests/storage/temporary_directory.hpp"

namespace parley::test {

/// What the files hold is looked at as a start after a crash would: opened once more, without what
/// is only in memory.
class StampedStore : public ::testing::Test {
 protected:
  static constexpr const char* k_stamp = "stamp";

  StampedStore() {
    auto store = RocksStore::open({db_dir(), 64U << 20, false});
    EXPECT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    // So that a second one can be opened at any moment.
    EXPECT_TRUE(store_->db().DisableFileDeletions().ok());
  }
  [[nodiscard]] std::string db_dir() const { return dir_.path() + "/db"; }

  /// One batch with the same in each family, and so many rows between the first and the last that
  /// others meet it half inserted.
  void write(uint64_t number) {
    constexpr int k_rows = 10'000;
    rocksdb::WriteBatch batch;
    batch.Put(store_->family(Family::state), "m", "in the range").PermitUncheckedError();
    for (int row = 0; row < k_rows; ++row) {
      batch.Put(store_->family(Family::state), "z" + std::to_string(row), "")
          .PermitUncheckedError();
    }
    for (const Family family : k_all_families) {
      batch.Put(store_->family(family), k_stamp, std::to_string(number)).PermitUncheckedError();
    }
    const Status status = store_->write(batch);
    EXPECT_TRUE(status.ok()) << status;
  }
  static std::string stamp(const StoreView& view, Family family) {
    const auto value = view.get(family, k_stamp);
    EXPECT_TRUE(value.ok()) << value.status();
    return value.ok() ? value->value_or("none") : "";
  }
  /// Of all families.
  static std::string stamp_in_files(const std::string& directory) {
    const auto files = RocksStore::open_read_only({directory, 64U << 20, false});
    EXPECT_TRUE(files.ok()) << files.status();
    if (!files.ok()) return "";
    const StoreView view(**files);
    const std::string first = stamp(view, k_all_families.front());
    for (const Family family : k_all_families) EXPECT_EQ(stamp(view, family), first);
    return first;
  }
  /// Writes and `look`s for a stamp, until so many different ones were seen.
  void look_while_writing(int moves, const std::function<std::string()>& look) {
    std::atomic<bool> done{false};
    std::thread writer([&] {
      for (uint64_t number = 1; !done; ++number) write(number);
    });
    std::string seen;
    while (moves > 0 && !HasFailure()) {
      const std::string now = look();
      moves -= now == seen ? 0 : 1;
      seen = now;
    }
    done = true;
    writer.join();
  }

  TemporaryDirectory dir_;
  std::unique_ptr<RocksStore> store_;
};

}  // namespace parley::test
