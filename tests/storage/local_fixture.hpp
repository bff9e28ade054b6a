#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/local_journal.hpp"
#include "tests/storage/journal_driver.hpp"
#include "tests/storage/temporary_directory.hpp"

namespace parley::test {

/// A local journal that can be closed, killed, and opened again.
class LocalFixture : public ::testing::Test {
 protected:
  LocalFixture() {
    options_.data_dir = directory_.path() + "/data";
    options_.shard_count = Driver::k_shards;
    options_.memory_bytes = 16U << 20;
    options_.log_segment_bytes = 1U << 20;
    options_.disk_floor_bytes = 0;
  }

  Status try_open() {
    auto opened = LocalJournal::open(options_);
    if (opened.ok()) journal_ = *std::move(opened);
    return opened.status();
  }
  void open() {
    const Status status = try_open();
    ASSERT_TRUE(status.ok()) << status;
  }
  void close() { journal_.reset(); }
  /// Ends as a kill would: nothing that is only in memory reaches the store.
  void crash() {
    journal_->flush_on_close(false);
    journal_.reset();
  }
  Driver opened(const std::string& thread) {
    Driver driver(*journal_, thread);
    const Status status = driver.load();
    EXPECT_TRUE(status.ok()) << status;
    return driver;
  }

  /// Every file below a directory that holds the bytes.
  std::vector<std::string> files_with(const std::string& below, const std::string& bytes) const {
    std::vector<std::string> found;
    for (const auto& file : std::filesystem::recursive_directory_iterator(below)) {
      if (file.is_regular_file() && read_file(file.path()).find(bytes) != std::string::npos) {
        found.push_back(file.path());
      }
    }
    return found;
  }
  static std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  static void write_file(const std::string& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << bytes;
  }
  /// Flips one bit in the middle of the first place that holds `bytes`; false where no file does.
  bool flip_at(const std::string& below, const std::string& bytes) const {
    for (const auto& path : files_with(below, bytes)) {
      std::string content = read_file(path);
      char& hit = content[content.find(bytes) + bytes.size() / 2];
      hit = static_cast<char>(hit ^ 0x10);
      write_file(path, content);
      return true;
    }
    return false;
  }
  std::string log_dir() const { return options_.data_dir + "/log"; }
  std::string db_dir() const { return options_.data_dir + "/db"; }

  TemporaryDirectory directory_;
  LocalOptions options_;
  std::unique_ptr<LocalJournal> journal_;
};

}  // namespace parley::test
