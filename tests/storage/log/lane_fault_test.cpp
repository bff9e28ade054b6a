#include <cerrno>
#include <fcntl.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/log/lane.hpp"
#include "tests/storage/log/log_fixture.hpp"

namespace parley::log {
namespace {

using testing::HasSubstr;

/// A lane on a disk that fails as the test says; buffered, so that syncs are seen.
class LaneFault : public testing::Test {
 protected:
  void open(bool direct = false) {
    LaneOptions options = small_lane(dir_.lane());
    options.direct = direct;
    options.disk = &disk_;
    lane_ = open_lane(options, {}, sink_);
  }
  WriteOutcome write(const std::string& payload) {
    lane_->submit({1, payload, nullptr});
    sink_.wait_for(++written_);
    return sink_.outcomes().back();
  }
  void fill_segment() {
    while (lane_->stats().frame_bytes + (40 << 10) < k_small_segment) {
      ASSERT_EQ(write(std::string(30'000, 'f')), WriteOutcome::durable);
    }
  }
  std::vector<Written> durable() const {
    std::vector<Written> all;
    for (size_t i = 0; i < sink_.count(); ++i) {
      if (sink_.outcomes()[i] == WriteOutcome::durable) all.push_back(sink_.entries()[i]);
    }
    return all;
  }
  void expect_replayable() {
    lane_.reset();
    const Replayed all = replay_all(replay_options(dir_.lane()));
    ASSERT_TRUE(all.status.ok()) << all.status;
    EXPECT_TRUE(all.report.damages.empty());
    EXPECT_EQ(all.records, durable());
  }

  TempDir dir_;
  FaultyDisk disk_;
  KeepingSink sink_;
  std::unique_ptr<Lane> lane_;
  size_t written_ = 0;
};

TEST_F(LaneFault, WritesWithoutDirectAccessWhereOpeningRefusesIt) {
  disk_.on_open = [](const std::string&, int flags) { return flags & O_DIRECT ? EINVAL : 0; };
  open(true);
  EXPECT_EQ(write("one"), WriteOutcome::durable);
  EXPECT_FALSE(lane_->stats().direct);
  expect_replayable();
}

TEST_F(LaneFault, WritesWithoutDirectAccessWhereTheFirstWriteRefusesIt) {
  std::map<std::string, bool> direct;
  std::mutex mutex;
  disk_.on_open = [&](const std::string& path, int flags) {
    const std::lock_guard lock(mutex);
    direct[path] = (flags & O_DIRECT) != 0;
    return 0;
  };
  disk_.on_write = [&](const std::string& path, uint64_t) {
    const std::lock_guard lock(mutex);
    return direct[path] ? EINVAL : 0;
  };
  open(true);
  EXPECT_EQ(write("one"), WriteOutcome::durable);
  EXPECT_FALSE(lane_->stats().direct);
  expect_replayable();
}

TEST_F(LaneFault, DoesNotKnowTheOutcomeOfAFailedSyncAndNeverTriesAgain) {
  std::atomic<bool> broken{false};
  std::atomic<int> calls{0};
  const auto fails = [&](const std::string& path) {
    if (!broken || !is_segment(path)) return 0;
    ++calls;
    return EIO;
  };
  disk_.on_sync = fails;
  open();
  EXPECT_EQ(write("one"), WriteOutcome::durable);
  const Mark before = lane_->durable();
  broken = true;
  EXPECT_EQ(write("two"), WriteOutcome::unknown);
  EXPECT_TRUE(lane_->failed());
  EXPECT_EQ(lane_->durable(), before);
  EXPECT_EQ(sink_.failures().size(), 1);
  EXPECT_THAT(lane_->failure().message(), HasSubstr("fdatasync"));
  broken = false;
  EXPECT_EQ(write("three"), WriteOutcome::not_written);
  EXPECT_EQ(write("four"), WriteOutcome::not_written);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(sink_.failures().size(), 1);
  EXPECT_EQ(lane_->queued_bytes(), 0);
  lane_->stop();  // its threads ask `fails`
}

TEST_F(LaneFault, DoesNotKnowTheOutcomeOfAFailedWrite) {
  std::atomic<bool> broken{false};
  disk_.on_write = [&](const std::string& path, uint64_t) {
    return broken && is_segment(path) ? ENOSPC : 0;
  };
  open();
  EXPECT_EQ(write("one"), WriteOutcome::durable);
  broken = true;
  EXPECT_EQ(write("two"), WriteOutcome::unknown);
  EXPECT_TRUE(lane_->failed());
  broken = false;
  EXPECT_EQ(write("three"), WriteOutcome::not_written);
  expect_replayable();
}

TEST_F(LaneFault, GoesOnAfterShortWritesAndInterruptions) {
  std::atomic<int> calls{0};
  disk_.on_write = [&](const std::string&, uint64_t) { return ++calls % 2 == 0 ? EINTR : 0; };
  disk_.write_bytes_max = 5000;
  open();
  EXPECT_EQ(write(std::string(40'000, 's')), WriteOutcome::durable);
  expect_replayable();
}

TEST_F(LaneFault, GoesOnAfterShortDirectWrites) {
  open(true);
  disk_.write_bytes_max = 8192;
  EXPECT_EQ(write(std::string(40'000, 's')), WriteOutcome::durable);
  disk_.write_bytes_max = SIZE_MAX;
  expect_replayable();
}

TEST_F(LaneFault, LivesOnWhenThereIsNoSpaceForTheNextSegment) {
  std::atomic<bool> full{false};
  disk_.on_allocate = [&] { return full ? ENOSPC : 0; };
  open();
  ASSERT_TRUE(eventually([&] { return lane_->stats().spare_segments == 1; }));
  full = true;
  // This segment and the spare are still good for some.
  WriteOutcome outcome = WriteOutcome::durable;
  for (int i = 0; i < 20 && outcome == WriteOutcome::durable; ++i) {
    outcome = write(std::string(30'000, 'x'));
  }
  EXPECT_EQ(outcome, WriteOutcome::not_written);
  EXPECT_FALSE(lane_->failed());
  EXPECT_TRUE(absl::IsResourceExhausted(lane_->refusal()));
  EXPECT_THAT(lane_->refusal().message(), HasSubstr("free space"));
  EXPECT_TRUE(files_named(dir_.lane(), "new-").empty());
  EXPECT_EQ(write("what still fits"), WriteOutcome::durable);
  EXPECT_EQ(write(std::string(30'000, 'y')), WriteOutcome::not_written);
  full = false;
  EXPECT_EQ(write(std::string(30'000, 'z')), WriteOutcome::durable);
  EXPECT_TRUE(lane_->refusal().ok());
  expect_replayable();
}

TEST_F(LaneFault, WritesNothingBehindAHeaderThatMayLast) {
  std::atomic<int> failures{0};
  disk_.on_write = [&](const std::string& path, uint64_t offset) {
    if (failures == 0 || offset != 0 || !path.ends_with(".log")) return 0;
    --failures;
    return EIO;
  };
  open();
  fill_segment();
  ASSERT_TRUE(eventually([&] { return lane_->stats().spare_segments == 1; }));
  failures = 1;
  EXPECT_EQ(write(std::string(40'000, 'x')), WriteOutcome::not_written);
  EXPECT_FALSE(lane_->failed());
  // It would still fit into the old segment.
  EXPECT_EQ(write("small"), WriteOutcome::durable);
  EXPECT_EQ(files_named(dir_.lane(), "wal-").size(), 2);
  expect_replayable();
}

TEST_F(LaneFault, TriesAnotherSpareWhenRenamingFails) {
  std::atomic<int> failures{0};
  disk_.on_rename = [&](const std::string& to) {
    if (failures == 0 || !is_segment(to)) return 0;
    --failures;
    return EIO;
  };
  open();
  fill_segment();
  failures = 1;
  EXPECT_EQ(write(std::string(40'000, 'x')), WriteOutcome::not_written);
  EXPECT_FALSE(lane_->failed());
  EXPECT_EQ(write(std::string(40'000, 'y')), WriteOutcome::durable);
  expect_replayable();
}

TEST_F(LaneFault, FailsForEverWhenTheDirectoryCannotBeSynced) {
  std::atomic<bool> broken{false};
  disk_.on_sync_directory = [&] { return broken ? EIO : 0; };
  open();
  fill_segment();
  broken = true;
  EXPECT_EQ(write(std::string(40'000, 'x')), WriteOutcome::not_written);
  EXPECT_TRUE(lane_->failed());
  broken = false;
  EXPECT_EQ(write("small"), WriteOutcome::not_written);
  EXPECT_EQ(sink_.failures().size(), 1);
  expect_replayable();
}

TEST_F(LaneFault, RotatesLaterWhenItCannotNowAndWritesMeanwhile) {
  std::atomic<bool> full{false};
  disk_.on_allocate = [&] { return full ? ENOSPC : 0; };
  open();
  EXPECT_EQ(write("first"), WriteOutcome::durable);
  ASSERT_TRUE(eventually([&] { return lane_->stats().spare_segments == 1; }));
  full = true;
  lane_->rotate();
  ASSERT_TRUE(eventually([&] { return lane_->stats().segments_started == 2; }));
  lane_->rotate();
  ASSERT_TRUE(eventually([&] { return !lane_->refusal().ok(); }));
  EXPECT_EQ(write("in the old one"), WriteOutcome::durable);
  EXPECT_EQ(lane_->stats().segments_started, 2);
  full = false;
  EXPECT_EQ(write("in the new one"), WriteOutcome::durable);
  EXPECT_EQ(lane_->stats().segments_started, 3);
  expect_replayable();
}

TEST_F(LaneFault, CountsAHeadThatCannotBeWritten) {
  disk_.on_write = [](const std::string& path, uint64_t) {
    return path.ends_with("/HEAD") ? EIO : 0;
  };
  open();
  EXPECT_EQ(write("one"), WriteOutcome::durable);
  lane_->note_head();
  EXPECT_GE(lane_->stats().head_errors, 1);
  expect_replayable();
}

TEST_F(LaneFault, SaysWhyItCannotBeOpened) {
  disk_.on_allocate = [] { return ENOSPC; };
  LaneOptions options = small_lane(dir_.lane());
  options.disk = &disk_;
  const Status status = Lane::open(options, {}, sink_).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("free space"));
}

}  // namespace
}  // namespace parley::log
