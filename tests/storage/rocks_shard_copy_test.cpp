#include "storage/rocks_shard_copy.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include <gtest/gtest.h>

#include "storage/keys.hpp"
#include "tests/storage/temporary_directory.hpp"

namespace parley::test {
namespace {

class RocksCopy : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = RocksStore::open({directory_.path(), 16U << 20, false});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  void put(Shard shard, const std::string& key, const std::string& value) {
    rocksdb::WriteBatch batch;
    ASSERT_TRUE(batch.Put(store_->family(Family::state), keys::shard(shard) + key, value).ok());
    ASSERT_TRUE(store_->write(batch).ok());
  }
  static RowChanges next(RocksShardCopy& copy) {
    const auto bytes = copy.next();
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    const auto changes = decode_changes(*bytes);
    EXPECT_TRUE(changes.ok());
    return *changes;
  }
  static RowChange row(const std::string& key, const std::string& value) {
    return {RowChange::Kind::put, Family::state, keys::shard(k_shard) + key, value};
  }

  static constexpr Shard k_shard{7};
  static constexpr uint32_t k_shards = 256;
  TemporaryDirectory directory_;
  std::unique_ptr<RocksStore> store_;
};

TEST_F(RocksCopy, GivesRowsThenChangesInTheirOrder) {
  put(k_shard, "a", "1");
  put({6}, "a", "other");
  put({8}, "a", "other");
  RocksShardCopy copy(*store_, k_shard, k_shards);
  put(k_shard, "a", "2");
  put({8}, "b", "other");
  rocksdb::WriteBatch batch;
  auto* family = store_->family(Family::state);
  const std::string prefix = keys::shard(k_shard);
  ASSERT_TRUE(batch.Put(family, prefix + "b", "3").ok());
  ASSERT_TRUE(batch.Delete(family, prefix + "a").ok());
  ASSERT_TRUE(batch.DeleteRange(family, prefix, prefix + "z").ok());
  ASSERT_TRUE(store_->write(batch).ok());
  EXPECT_EQ(next(copy), RowChanges{row("a", "1")});
  EXPECT_TRUE(copy.caught_up());
  const RowChanges changes{row("a", "2"),
                           row("b", "3"),
                           {RowChange::Kind::remove, Family::state, prefix + "a", ""},
                           {RowChange::Kind::remove_range, Family::state, prefix, prefix + "z"}};
  EXPECT_EQ(next(copy), changes);
  EXPECT_TRUE(next(copy).empty());
  put(k_shard, "c", "4");
  EXPECT_EQ(next(copy), RowChanges{row("c", "4")});
}

/// A row that is put twice where it is taken would not be gone when it is removed once.
TEST_F(RocksCopy, GivesEachChangeOnceWhileOthersWrite) {
  std::atomic<bool> over{false};
  std::atomic<int> written{0};
  std::thread writer([&] {
    for (int i = 0; !over; ++i) {
      put(k_shard, std::to_string(1'000'000 + i), "row");
      written = i + 1;
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  });
  for (int round = 1; round <= 50; ++round) {
    RocksShardCopy copy(*store_, k_shard, k_shards);
    const int before = written;
    while (written < before + 20) std::this_thread::yield();
    std::map<std::string, int> times;
    while (!copy.caught_up() || times.size() < static_cast<size_t>(before + 20)) {
      for (const RowChange& change : next(copy)) ++times[change.key];
    }
    for (const auto& [key, count] : times) ASSERT_EQ(count, 1) << key << " in round " << round;
  }
  over = true;
  writer.join();
}

TEST_F(RocksCopy, GivesLargeShardsInPieces) {
  RowChanges all;
  for (int i = 0; i < 100; ++i) {
    all.push_back(row(std::to_string(1000 + i), std::string(20'000, 'r')));
    put(k_shard, std::to_string(1000 + i), std::string(20'000, 'r'));
  }
  RocksShardCopy copy(*store_, k_shard, k_shards);
  RowChanges given;
  size_t pieces = 0;
  for (RowChanges piece = next(copy); !piece.empty(); piece = next(copy)) {
    given.insert(given.end(), piece.begin(), piece.end());
    ++pieces;
  }
  EXPECT_EQ(given, all);
  EXPECT_GT(pieces, 10U);
}

TEST_F(RocksCopy, AnEmptyShardIsCaughtUpAtOnce) {
  RocksShardCopy copy(*store_, k_shard, k_shards);
  EXPECT_TRUE(next(copy).empty());
  EXPECT_TRUE(copy.caught_up());
}

TEST_F(RocksCopy, SaysWhenMoreChangedThanItKeeps) {
  RocksShardCopy copy(*store_, k_shard, k_shards, 1000);
  EXPECT_TRUE(next(copy).empty());
  put({8}, "a", std::string(5000, 'o'));
  put(k_shard, "a", std::string(600, 'x'));
  EXPECT_EQ(next(copy).size(), 1U);
  put(k_shard, "a", std::string(600, 'x'));
  put(k_shard, "a", std::string(600, 'x'));
  EXPECT_EQ(copy.next().status().code(), absl::StatusCode::kResourceExhausted);
  put(k_shard, "a", "x");
  EXPECT_EQ(copy.next().status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace parley::test
