#include <gtest/gtest.h>

#include "storage/log/lane.hpp"
#include "tests/storage/log/log_fixture.hpp"

namespace parley::log {
namespace {

class Wipe : public testing::Test {
 protected:
  void open() { lane_ = open_lane(small_lane(dir_.lane()), sink_.last(), sink_); }
  void write(size_t records, const std::string& content) {
    for (size_t i = 0; i < records; ++i) {
      lane_->submit({i, content + std::string(20'000, '.'), nullptr});
      sink_.wait_for(++written_);
    }
  }
  bool found_on_disk(const std::string& content) const {
    for (const auto& entry : std::filesystem::directory_iterator(dir_.lane())) {
      if (read_bytes(entry.path()).find(content) != std::string::npos) return true;
    }
    return false;
  }

  TempDir dir_;
  KeepingSink sink_;
  std::unique_ptr<Lane> lane_;
  size_t written_ = 0;
};

TEST_F(Wipe, LeavesNothingOfWhatWasReleased) {
  open();
  write(2, "a secret");
  const Mark erased = lane_->durable();
  lane_->wipe(erased.frame);
  EXPECT_EQ(lane_->wiped_through(), 0);
  EXPECT_TRUE(eventually([&] { return lane_->stats().segments_started == 2; }));
  EXPECT_EQ(lane_->wiped_through(), 0);
  EXPECT_TRUE(found_on_disk("a secret"));
  lane_->release(erased.frame);
  EXPECT_TRUE(eventually([&] { return lane_->wiped_through() == erased.frame; }));
  EXPECT_FALSE(found_on_disk("a secret"));
  write(1, "later");
  lane_.reset();
  const Replayed all = replay_all(replay_options(dir_.lane(), erased));
  EXPECT_EQ(all.records.size(), 1);
  EXPECT_TRUE(all.report.damages.empty());
}

TEST_F(Wipe, ReachesWhatLiesBehindNewFramesInARecycledSegment) {
  open();
  write(20, "a secret");
  const Mark erased = lane_->durable();
  lane_->rotate();
  EXPECT_TRUE(eventually([&] { return lane_->stats().segments_started == 5; }));
  lane_->release(erased.frame);
  EXPECT_TRUE(eventually([&] { return lane_->stats().closed_segments == 0; }));
  // Into segments that hold the old frames.
  lane_->rotate();
  EXPECT_TRUE(eventually([&] { return lane_->stats().segments_started == 6; }));
  write(1, "later");
  EXPECT_TRUE(found_on_disk("a secret"));
  lane_.reset();
  open();
  lane_->wipe(erased.frame);
  EXPECT_TRUE(eventually([&] {
    lane_->release(lane_->durable().frame);
    return lane_->wiped_through() == erased.frame;
  }));
  EXPECT_FALSE(found_on_disk("a secret"));
}

TEST_F(Wipe, IsDoneAtOnceWhereNothingOldIsLeft) {
  open();
  write(1, "old");
  const Mark old = lane_->durable();
  lane_->wipe(old.frame);
  lane_->release(old.frame);
  EXPECT_TRUE(eventually([&] { return lane_->wiped_through() == old.frame; }));
  const uint64_t segments = lane_->stats().segments_started;
  lane_.reset();
  open();
  write(1, "new");
  lane_->wipe(old.frame);
  EXPECT_TRUE(eventually([&] { return lane_->wiped_through() == old.frame; }));
  EXPECT_EQ(lane_->stats().segments_started, 0) << "no rotation was needed, before " << segments;
}

}  // namespace
}  // namespace parley::log
