#include <fcntl.h>
#include <random>

#include <gtest/gtest.h>

#include "tests/storage/log/log_fixture.hpp"

namespace parley::log {
namespace {

/// Carries every call out and writes it down, so that the state of the disk after a power cut at
/// any call can be made: what was synced is there, of what was not each block may be there or not,
/// and of the names not synced only the first few.
class RecordingDisk : public Disk {
 public:
  enum class Kind : uint8_t { create, write, sync, allocate, rename, remove, sync_directory };
  struct Call {
    Kind kind;
    std::string path;
    std::string to;
    uint64_t offset = 0;
    std::string bytes;
    bool durable = false;  ///< a write to a file that was opened with O_DSYNC
  };

  int open(const std::string& path, int flags) override {
    const std::lock_guard lock(mutex_);
    const bool is_new = (flags & O_CREAT) != 0 && !std::filesystem::exists(path);
    const int file = Disk::open(path, flags);
    if (file < 0) return file;
    if (is_new) calls_.push_back({Kind::create, path, ""});
    files_[file] = {path, (flags & O_DSYNC) != 0};
    return file;
  }
  ssize_t write(int file, const char* bytes, size_t count, uint64_t offset) override {
    const std::lock_guard lock(mutex_);
    const auto& [path, durable] = files_[file];
    calls_.push_back({Kind::write, path, "", offset, std::string(bytes, count), durable});
    return Disk::write(file, bytes, count, offset);
  }
  int sync(int file) override {
    const std::lock_guard lock(mutex_);
    calls_.push_back({Kind::sync, files_[file].first, ""});
    return 0;  // the tests' power never fails in earnest
  }
  int allocate(int file, uint64_t bytes) override {
    const std::lock_guard lock(mutex_);
    calls_.push_back({Kind::allocate, files_[file].first, "", bytes});
    return Disk::allocate(file, bytes);
  }
  int rename(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    calls_.push_back({Kind::rename, from, to});
    for (auto& [file, known] : files_) {
      if (known.first == from) known.first = to;
    }
    return Disk::rename(from, to);
  }
  int remove(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    calls_.push_back({Kind::remove, path, ""});
    return Disk::remove(path);
  }
  int sync_directory(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    calls_.push_back({Kind::sync_directory, path, ""});
    return 0;
  }

  size_t count() {
    const std::lock_guard lock(mutex_);
    return calls_.size();
  }
  const std::vector<Call>& calls() const { return calls_; }

 private:
  std::mutex mutex_;
  std::map<int, std::pair<std::string, bool>> files_;
  std::vector<Call> calls_;
};

/// The disk in the moment of a power cut, and what comes back of it.
class Remains {
 public:
  Remains(const std::string& directory, uint64_t seed) : directory_(directory), random_(seed) {}

  /// The call at `count` had begun.
  void run(const std::vector<RecordingDisk::Call>& calls, size_t count) {
    for (size_t i = 0; i < count; ++i) apply(calls[i], false);
    if (count < calls.size()) apply(calls[count], true);
  }

  void come_back(const std::string& as) {
    size_t kept = random_() % (pending_names_.size() + 1);
    for (const auto& change : pending_names_) {
      if (kept-- == 0) break;
      change(durable_names_);
    }
    std::filesystem::create_directories(as);
    for (const auto& [name, file] : durable_names_) {
      std::string bytes = file->durable;
      for (const auto& [offset, data] : file->pending) keep_some(bytes, offset, data);
      write_bytes(as + "/" + name, 0, bytes);
    }
  }

 private:
  using Kind = RecordingDisk::Kind;
  struct File {
    std::string durable;
    std::vector<std::pair<uint64_t, std::string>> pending;
  };
  using Names = std::map<std::string, std::shared_ptr<File>>;

  static void put(std::string& bytes, uint64_t offset, std::string_view data) {
    if (bytes.size() < offset + data.size()) bytes.resize(offset + data.size());
    std::ranges::copy(data, bytes.begin() + static_cast<ptrdiff_t>(offset));
  }
  void keep_some(std::string& bytes, uint64_t offset, const std::string& data) {
    constexpr size_t k_sector = 512;
    const uint64_t style = random_() % 4;
    for (size_t at = 0; at < data.size(); at += k_sector) {
      const bool keep = style == 0 || (style == 1 && random_() % 2 == 0) ||
                        (style == 2 && at / k_block_bytes % 2 == 0);
      if (keep) put(bytes, offset + at, std::string_view(data).substr(at, k_sector));
    }
  }
  std::string name_of(const std::string& path) const { return path.substr(directory_.size() + 1); }

  void change_names(const std::function<void(Names&)>& change) {
    change(names_);
    pending_names_.push_back(change);
  }

  void apply(const RecordingDisk::Call& call, bool under_way) {
    switch (call.kind) {
      case Kind::create: {
        const auto file = std::make_shared<File>();
        change_names([file, name = name_of(call.path)](Names& names) { names[name] = file; });
        break;
      }
      case Kind::write: {
        File& file = *names_.at(name_of(call.path));
        file.pending.emplace_back(call.offset, call.bytes);
        if (call.durable && !under_way) settle(file);
        break;
      }
      case Kind::sync:
        if (!under_way) settle(*names_.at(name_of(call.path)));
        break;
      case Kind::allocate:
        names_.at(name_of(call.path))->pending.emplace_back(0, std::string(call.offset, '\0'));
        break;
      case Kind::rename:
        change_names([from = name_of(call.path), to = name_of(call.to)](Names& names) {
          const auto found = names.find(from);
          if (found == names.end()) return;
          names[to] = found->second;
          names.erase(from);
        });
        break;
      case Kind::remove:
        change_names([name = name_of(call.path)](Names& names) { names.erase(name); });
        break;
      case Kind::sync_directory:
        if (under_way || call.path != directory_) break;
        durable_names_ = names_;
        pending_names_.clear();
        break;
    }
  }
  static void settle(File& file) {
    for (const auto& [offset, data] : file.pending) put(file.durable, offset, data);
    file.pending.clear();
  }

  std::string directory_;
  std::mt19937_64 random_;
  Names names_;
  Names durable_names_;
  std::vector<std::function<void(Names&)>> pending_names_;
};

/// Counts the disk's calls at each acknowledgement, as a client would notice it.
class CountingSink : public KeepingSink {
 public:
  explicit CountingSink(RecordingDisk& disk) : disk_(disk) {}
  void on_group(std::span<Entry> group, Mark mark, WriteOutcome outcome) override {
    {
      const std::lock_guard lock(mutex_);
      acknowledged_.resize(acknowledged_.size() + group.size(), disk_.count());
    }
    KeepingSink::on_group(group, mark, outcome);
  }
  std::vector<size_t> acknowledged() {
    const std::lock_guard lock(mutex_);
    return acknowledged_;
  }

 private:
  RecordingDisk& disk_;
  std::mutex mutex_;
  std::vector<size_t> acknowledged_;
};

/// A run of a lane with rotation, recycling and wiping, written down.
struct RecordedRun {
  RecordingDisk disk;
  CountingSink sink{disk};
  TempDir dir;
  /// The store had applied this when so many calls were made.
  std::vector<std::pair<size_t, Mark>> released = {{0, Mark{}}};

  explicit RecordedRun(bool direct) {
    LaneOptions options = small_lane(dir.lane());
    options.direct = direct;
    options.disk = &disk;
    auto lane = open_lane(options, {}, sink);
    for (size_t i = 0; i < 60; ++i) {
      lane->submit({i % 5, std::to_string(i) + std::string(i * 977 % 20'000, 'p'), nullptr});
      if (i % 3 == 2) sink.wait_for(i + 1);
      if (i % 10 == 9) {
        const Mark durable = lane->durable();
        released.emplace_back(disk.count(), durable);
        lane->release(durable.frame);
      }
      if (i == 40) lane->wipe(released.back().second.frame);
      if (i % 15 == 14) lane->note_head();
    }
    lane->stop();
  }

  void cut_power_at(size_t call, uint64_t seed) {
    TempDir after_cut;
    const std::string lane_dir = after_cut.lane();
    Remains remains(dir.lane(), seed);
    remains.run(disk.calls(), call);
    remains.come_back(lane_dir);

    Mark after;
    for (const auto& [count, mark] : released) {
      if (count <= call) after = mark;
    }
    const Replayed all = replay_all(replay_options(lane_dir, after));
    ASSERT_TRUE(all.status.ok()) << all.status;
    for (const Damage& damage : all.report.damages) ADD_FAILURE() << damage.what;
    const std::vector<Written> entries = sink.entries();
    const std::vector<size_t> acknowledged = sink.acknowledged();
    size_t next = 0;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].frame <= after.frame) continue;
      const bool delivered = next < all.records.size() && all.records[next] == entries[i];
      if (delivered) ++next;
      EXPECT_TRUE(delivered || acknowledged[i] > call) << "lost entry " << i;
    }
    EXPECT_EQ(next, all.records.size());
    expect_to_go_on(lane_dir, after, all);
  }

  static void expect_to_go_on(const std::string& lane_dir, Mark after, const Replayed& before) {
    KeepingSink again;
    auto lane = open_lane(small_lane(lane_dir), before.report.last, again);
    ASSERT_TRUE(lane);
    lane->submit({77, "after the cut", nullptr});
    lane.reset();
    Replayed all = replay_all(replay_options(lane_dir, after));
    ASSERT_TRUE(all.status.ok()) << all.status;
    ASSERT_EQ(all.records.size(), before.records.size() + 1);
    EXPECT_EQ(all.records.back().payload, "after the cut");
    EXPECT_TRUE(all.report.damages.empty());
  }
};

void cut_power_everywhere(bool direct) {
  RecordedRun run(direct);
  for (size_t call = 0; call < run.disk.calls().size(); ++call) {
    SCOPED_TRACE(testing::Message() << "call " << call);
    run.cut_power_at(call, call);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(PowerLoss, AtAnyCallLosesNothingAcknowledged) { cut_power_everywhere(true); }

TEST(PowerLoss, AtAnyCallLosesNothingAcknowledgedWithoutDirectAccess) {
  cut_power_everywhere(false);
}

}  // namespace
}  // namespace parley::log
