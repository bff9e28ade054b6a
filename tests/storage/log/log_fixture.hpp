#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "storage/log/lane.hpp"
#include "storage/log/replay.hpp"

namespace parley::log {

inline const Id128 k_store = Id128::from_bytes("0123456789abcdef");
inline constexpr uint64_t k_small_segment = 128 << 10;

/// A directory that goes with the test.
class TempDir {
 public:
  TempDir() {
    std::string name = testing::TempDir() + "parley_log_XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string lane() const { return path_ + "/lane"; }

 private:
  std::string path_;
};

struct Written {
  uint64_t frame = 0;
  uint64_t key_hash = 0;
  std::string payload;
  bool operator==(const Written&) const = default;
};

/// Keeps what it is told. `hold()` makes the lane's thread wait inside the sink, so that what is
/// submitted meanwhile becomes one group.
class KeepingSink : public GroupSink {
 public:
  void on_group(std::span<Entry> group, Mark mark, WriteOutcome outcome) override {
    std::unique_lock lock(mutex_);
    for (Entry& entry : group) {
      entries_.push_back({mark.frame, entry.key_hash, entry.payload});
      outcomes_.push_back(outcome);
      owners_.push_back(entry.owner);
    }
    group_sizes_.push_back(group.size());
    if (outcome == WriteOutcome::durable) last_ = mark;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
  }
  void on_failed(const Status& why) override {
    const std::lock_guard lock(mutex_);
    failures_.push_back(why);
  }

  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  void wait_for(size_t entries) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entries_.size() >= entries; });
  }
  [[nodiscard]] size_t count() const { return locked(entries_).size(); }
  [[nodiscard]] std::vector<Written> entries() const { return locked(entries_); }
  [[nodiscard]] std::vector<WriteOutcome> outcomes() const { return locked(outcomes_); }
  [[nodiscard]] std::vector<std::shared_ptr<void>> owners() const { return locked(owners_); }
  [[nodiscard]] std::vector<size_t> group_sizes() const { return locked(group_sizes_); }
  [[nodiscard]] std::vector<Status> failures() const { return locked(failures_); }
  [[nodiscard]] Mark last() const { return locked(last_); }

 private:
  template <class T>
  T locked(const T& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Written> entries_;
  std::vector<WriteOutcome> outcomes_;
  std::vector<std::shared_ptr<void>> owners_;
  std::vector<size_t> group_sizes_;
  std::vector<Status> failures_;
  Mark last_;
  bool held_ = false;
};

/// The real disk, except where a test says otherwise: each hook answers an errno, or 0 to go on.
class FaultyDisk : public Disk {
 public:
  std::function<int(const std::string& path, int flags)> on_open;
  std::function<int(const std::string& path, uint64_t offset)> on_write;
  std::function<int(const std::string& path)> on_sync;
  std::function<int()> on_allocate;
  std::function<int(const std::string& to)> on_rename;
  std::function<int()> on_sync_directory;
  std::atomic<size_t> write_bytes_max{SIZE_MAX};

  int open(const std::string& path, int flags) override {
    if (on_open && failed(on_open(path, flags))) return -1;
    const int file = Disk::open(path, flags);
    const std::lock_guard lock(mutex_);
    paths_[file] = path;
    return file;
  }
  ssize_t write(int file, const char* bytes, size_t count, uint64_t offset) override {
    if (on_write && failed(on_write(path_of(file), offset))) return -1;
    return Disk::write(file, bytes, std::min(count, write_bytes_max.load()), offset);
  }
  int sync(int file) override {
    return on_sync && failed(on_sync(path_of(file))) ? -1 : Disk::sync(file);
  }
  int allocate(int file, uint64_t bytes) override {
    return on_allocate && failed(on_allocate()) ? -1 : Disk::allocate(file, bytes);
  }
  int rename(const std::string& from, const std::string& to) override {
    if (on_rename && failed(on_rename(to))) return -1;
    const std::lock_guard lock(mutex_);
    for (auto& [file, path] : paths_) {
      if (path == from) path = to;
    }
    return Disk::rename(from, to);
  }
  int sync_directory(const std::string& path) override {
    return on_sync_directory && failed(on_sync_directory()) ? -1 : Disk::sync_directory(path);
  }

 private:
  static bool failed(int error) {
    if (error != 0) errno = error;
    return error != 0;
  }
  std::string path_of(int file) {
    const std::lock_guard lock(mutex_);
    return paths_[file];
  }
  std::mutex mutex_;
  std::map<int, std::string> paths_;
};

inline bool is_segment(const std::string& path) {
  return std::filesystem::path(path).filename().string().starts_with("wal-");
}

inline LaneOptions small_lane(const std::string& directory) {
  LaneOptions options;
  options.directory = directory;
  options.store_id = k_store;
  options.segment_bytes = k_small_segment;
  options.group_bytes_max = 32 << 10;
  options.record_bytes_max = 48 << 10;
  return options;
}

inline std::unique_ptr<Lane> open_lane(const LaneOptions& options, Mark last, GroupSink& sink) {
  Result<std::unique_ptr<Lane>> lane = Lane::open(options, last, sink);
  EXPECT_TRUE(lane.ok()) << lane.status();
  return lane.ok() ? *std::move(lane) : nullptr;
}

inline ReplayOptions replay_options(const std::string& directory, Mark after = {}) {
  return {directory, k_store, 0, after, 0};
}

struct Replayed {
  Status status;
  ReplayReport report;
  std::vector<Written> records;
};

inline Replayed replay_all(const ReplayOptions& options) {
  Replayed all;
  Result<ReplayReport> report = replay(options, [&](const ReplayedRecord& record) {
    all.records.push_back({record.frame, record.key_hash, std::string(record.payload)});
    return Status();
  });
  all.status = report.status();
  if (report.ok()) all.report = *std::move(report);
  return all;
}

/// What other threads will bring about, soon. Not a way to wait for something that has a signal.
inline bool eventually(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

inline std::vector<std::string> files_named(const std::string& directory,
                                            const std::string& prefix) {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with(prefix)) found.insert(entry.path());
  }
  return {found.begin(), found.end()};
}

inline std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::string& path, uint64_t offset, std::string_view bytes) {
  const OpenFile file(::open(path.c_str(), O_WRONLY | O_CREAT, 0600));
  ASSERT_TRUE(write_all(Disk::real(), file.get(), path, bytes, offset).ok());
}

inline void flip_byte(const std::string& path, uint64_t offset, char bits = 0x20) {
  const std::string bytes = read_bytes(path);
  ASSERT_LT(offset, bytes.size());
  write_bytes(path, offset, std::string(1, static_cast<char>(bytes[offset] ^ bits)));
}

}  // namespace parley::log
