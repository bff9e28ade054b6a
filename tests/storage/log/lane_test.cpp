#include "storage/log/lane.hpp"

#include <mutex>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/storage/log/log_fixture.hpp"

namespace parley::log {
namespace {

using testing::Each;
using testing::HasSubstr;

TEST(Lane, TellsEveryEntryOnceAndInTheOrderOfItsThread) {
  constexpr uint64_t k_threads = 4;
  constexpr uint64_t k_each = 500;
  const TempDir dir;
  KeepingSink sink;
  auto lane = open_lane(small_lane(dir.lane()), {}, sink);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < k_threads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < k_each; ++i) lane->submit({t, std::to_string(i), nullptr});
    });
  }
  for (std::thread& thread : threads) thread.join();
  lane->stop();
  EXPECT_THAT(sink.outcomes(), Each(WriteOutcome::durable));
  EXPECT_EQ(lane->queued_bytes(), 0);
  const std::vector<Written> told = sink.entries();
  ASSERT_EQ(told.size(), k_threads * k_each);
  std::map<uint64_t, uint64_t> next;
  for (const Written& entry : told)
    EXPECT_EQ(entry.payload, std::to_string(next[entry.key_hash]++));
  const Replayed all = replay_all(replay_options(dir.lane()));
  ASSERT_TRUE(all.status.ok()) << all.status;
  EXPECT_EQ(all.records, told);
  EXPECT_EQ(all.report.last, lane->durable());
  EXPECT_TRUE(all.report.damages.empty());
}

/// Makes the payload out of what the owner says.
class EncodingSink final : public KeepingSink {
 public:
  void encode(Entry& entry) override {
    entry.payload = "made of " + std::to_string(*static_cast<const int*>(entry.owner.get()));
    const std::lock_guard lock(mutex_);
    threads_.insert(std::this_thread::get_id());
  }
  [[nodiscard]] std::set<std::thread::id> threads() const {
    const std::lock_guard lock(mutex_);
    return threads_;
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::thread::id> threads_;
};

TEST(Lane, HasPayloadsMadeOnItsOwnThread) {
  const TempDir dir;
  EncodingSink sink;
  auto lane = open_lane(small_lane(dir.lane()), {}, sink);
  lane->submit({1, {}, std::make_shared<int>(7)});
  lane->submit({2, "given", std::make_shared<int>(8)});
  Entry large{3, {}, std::make_shared<int>(9)};
  large.owner_bytes = 1000;
  lane->submit(std::move(large));
  lane->stop();
  EXPECT_EQ(lane->queued_bytes(), 0);
  ASSERT_EQ(sink.count(), 3U);
  EXPECT_EQ(sink.entries()[0].payload, "made of 7");
  EXPECT_EQ(sink.entries()[1].payload, "given");
  EXPECT_EQ(replay_all(replay_options(dir.lane())).records, sink.entries());
  EXPECT_EQ(sink.threads().size(), 1U);
  EXPECT_FALSE(sink.threads().contains(std::this_thread::get_id()));
}

TEST(Lane, CountsWhatOwnersHoldWhileTheyWait) {
  const TempDir dir;
  EncodingSink sink;
  auto lane = open_lane(small_lane(dir.lane()), {}, sink);
  sink.hold();
  lane->submit({1, "first", nullptr});
  sink.wait_for(1);
  const uint64_t before = lane->queued_bytes();
  Entry entry{2, {}, std::make_shared<int>(1)};
  entry.owner_bytes = 100'000;
  lane->submit(std::move(entry));
  EXPECT_GE(lane->queued_bytes(), before + 100'000);
  sink.let_go();
  lane->stop();
  EXPECT_EQ(lane->queued_bytes(), 0);
}

TEST(Lane, WritesWhatWaitsAsOneGroup) {
  const TempDir dir;
  KeepingSink sink;
  auto lane = open_lane(small_lane(dir.lane()), {}, sink);
  const auto owner = std::make_shared<int>(1);
  sink.hold();
  lane->submit({1, "first", nullptr});
  sink.wait_for(1);
  for (uint64_t key = 2; key <= 9; ++key) lane->submit({key, "waiting", owner});
  EXPECT_GT(lane->queued_bytes(), 8 * 7);
  sink.let_go();
  lane->stop();
  EXPECT_EQ(sink.group_sizes(), (std::vector<size_t>{1, 8}));
  EXPECT_EQ(sink.owners().back(), owner);
  EXPECT_EQ(lane->stats().frames, 2);
  EXPECT_EQ(lane->stats().records, 9);
  EXPECT_EQ(lane->stats().payload_bytes, 5 + 8 * 7);
}

TEST(Lane, BoundsAGroupAndLetsALargeRecordGoAlone) {
  const TempDir dir;
  KeepingSink sink;
  auto lane = open_lane(small_lane(dir.lane()), {}, sink);
  const auto owner = std::make_shared<int>(1);
  sink.hold();
  lane->submit({1, "first", nullptr});
  sink.wait_for(1);
  for (int i = 0; i < 4; ++i) lane->submit({2, std::string(12 << 10, 'a'), nullptr});
  lane->submit({3, std::string(48 << 10, 'b'), nullptr});
  lane->submit({4, "after", nullptr});
  sink.let_go();
  lane->stop();
  EXPECT_EQ(sink.group_sizes(), (std::vector<size_t>{1, 2, 2, 1, 1}));
  EXPECT_EQ(replay_all(replay_options(dir.lane())).records, sink.entries());
}

TEST(Lane, RefusesARecordAboveItsBoundAndLivesOn) {
  const TempDir dir;
  KeepingSink sink;
  auto lane = open_lane(small_lane(dir.lane()), {}, sink);
  lane->submit({1, std::string((48 << 10) + 1, 'x'), nullptr});
  sink.wait_for(1);
  EXPECT_THAT(lane->refusal().message(), HasSubstr("send less"));
  lane->submit({2, "small", nullptr});
  lane->stop();
  EXPECT_EQ(sink.outcomes(), (std::vector{WriteOutcome::not_written, WriteOutcome::durable}));
  EXPECT_TRUE(lane->refusal().ok());
  EXPECT_EQ(lane->stats().refused_records, 1);
  EXPECT_FALSE(lane->failed());
}

TEST(Lane, RefusesWhatComesAfterTheStop) {
  const TempDir dir;
  KeepingSink sink;
  auto lane = open_lane(small_lane(dir.lane()), {}, sink);
  lane->stop();
  lane->submit({1, "late", nullptr});
  EXPECT_EQ(sink.outcomes(), std::vector{WriteOutcome::not_written});
}

TEST(Lane, RecyclesReleasedSegmentsAndKeepsTwoSparesAtMost) {
  const TempDir dir;
  KeepingSink sink;
  auto lane = open_lane(small_lane(dir.lane()), {}, sink);
  size_t told = 0;
  for (; told < 24; ++told) {
    lane->submit({told, std::string(30'000, 'p'), nullptr});
    sink.wait_for(told + 1);
  }
  EXPECT_GE(lane->stats().segments_started, 6);
  EXPECT_GE(lane->stats().closed_segments, 5);
  lane->release(lane->durable().frame);
  EXPECT_TRUE(eventually([&] {
    const LaneStats stats = lane->stats();
    return stats.closed_segments == 0 && stats.spare_segments == 2;
  }));
  EXPECT_EQ(files_named(dir.lane(), "wal-").size(), 1);
  const Mark released = lane->durable();
  for (; told < 60; ++told) {
    lane->submit({told, std::to_string(told) + std::string(25'000, 'q'), nullptr});
    sink.wait_for(told + 1);
  }
  lane->stop();
  // The recycled segments still hold old frames behind the new ones.
  const Replayed all = replay_all(replay_options(dir.lane(), released));
  ASSERT_TRUE(all.status.ok()) << all.status;
  const std::vector<Written> entries = sink.entries();
  EXPECT_EQ(all.records, std::vector<Written>(entries.begin() + 24, entries.end()));
  EXPECT_TRUE(all.report.damages.empty());
}

TEST(Lane, NeverReleasesWhatAReplayStillNeeds) {
  const TempDir dir;
  KeepingSink sink;
  auto lane = open_lane(small_lane(dir.lane()), {}, sink);
  std::vector<Mark> marks;
  for (size_t i = 0; i < 20; ++i) {
    lane->submit({i, std::string(30'000, 'p'), nullptr});
    sink.wait_for(i + 1);
    marks.push_back(lane->durable());
  }
  lane->release(10);
  EXPECT_TRUE(eventually([&] { return lane->stats().spare_segments == 2; }));
  lane->stop();
  const Replayed all = replay_all(replay_options(dir.lane(), marks[9]));
  ASSERT_TRUE(all.status.ok()) << all.status;
  EXPECT_EQ(all.records.size(), 10);
  EXPECT_TRUE(all.report.damages.empty());
}

TEST(Lane, ContinuesInItsSegmentAfterARestart) {
  const TempDir dir;
  KeepingSink sink;
  Mark last;
  for (uint64_t run = 0; run < 5; ++run) {
    auto lane = open_lane(small_lane(dir.lane()), last, sink);
    lane->submit({run, "of this run", nullptr});
    lane->stop();
    const Replayed all = replay_all(replay_options(dir.lane()));
    ASSERT_TRUE(all.status.ok()) << all.status;
    EXPECT_EQ(all.records, sink.entries());
    EXPECT_EQ(all.report.last, lane->durable());
    last = all.report.last;
  }
  EXPECT_EQ(files_named(dir.lane(), "wal-").size(), 1);
}

TEST(Lane, StartsASegmentWhereTheNumbersLeap) {
  const TempDir dir;
  KeepingSink sink;
  open_lane(small_lane(dir.lane()), {}, sink)->submit({1, "one", nullptr});
  auto lane = open_lane(small_lane(dir.lane()), {100, 5}, sink);
  lane->submit({2, "two", nullptr});
  lane->stop();
  EXPECT_EQ(lane->durable().frame, 101);
  const Replayed behind = replay_all(replay_options(dir.lane(), {100, 5}));
  EXPECT_EQ(behind.records.size(), 1);
  EXPECT_TRUE(behind.report.damages.empty());
  EXPECT_TRUE(replay_all(replay_options(dir.lane())).report.extent_unknown());
}

TEST(Lane, RefusesToOpenBeforeFramesThatNobodyReplayed) {
  const TempDir dir;
  KeepingSink sink;
  auto lane = open_lane(small_lane(dir.lane()), {}, sink);
  lane->submit({1, "one", nullptr});
  lane->stop();
  lane.reset();
  const Status same_segment = Lane::open(small_lane(dir.lane()), {}, sink).status();
  EXPECT_EQ(same_segment.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(same_segment.message(), HasSubstr("replay the log"));
  lane = open_lane(small_lane(dir.lane()), sink.last(), sink);
  lane->rotate();
  EXPECT_TRUE(eventually([&] { return lane->stats().segments_started == 1; }));
  lane.reset();
  EXPECT_EQ(Lane::open(small_lane(dir.lane()), {}, sink).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Lane, RefusesADirectoryInUseOrOfAnotherStore) {
  const TempDir dir;
  KeepingSink sink;
  auto lane = open_lane(small_lane(dir.lane()), {}, sink);
  EXPECT_THAT(Lane::open(small_lane(dir.lane()), {}, sink).status().message(), HasSubstr("in use"));
  lane.reset();
  LaneOptions foreign = small_lane(dir.lane());
  foreign.store_id = Id128::from_bytes("fedcba9876543210");
  EXPECT_THAT(Lane::open(foreign, {}, sink).status().message(), HasSubstr("belongs to"));
  LaneOptions other_lane = small_lane(dir.lane());
  other_lane.lane = 1;
  EXPECT_THAT(Lane::open(other_lane, {}, sink).status().message(), HasSubstr("belongs to"));
}

TEST(Lane, SaysWhichOptionToChange) {
  const TempDir dir;
  KeepingSink sink;
  const auto refused = [&](auto change) {
    LaneOptions options = small_lane(dir.lane());
    change(options);
    const Status status = Lane::open(options, {}, sink).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(refused([](LaneOptions& o) { o.segment_bytes += 1; }), HasSubstr("multiple of 4096"));
  EXPECT_THAT(refused([](LaneOptions& o) { o.segment_bytes = 64 << 10; }), HasSubstr("131072"));
  EXPECT_THAT(refused([](LaneOptions& o) { o.record_bytes_max = 65 << 10; }), HasSubstr("twice"));
  EXPECT_THAT(refused([](LaneOptions& o) { o.record_bytes_max = 0; }), HasSubstr("choose 1"));
  EXPECT_THAT(refused([](LaneOptions& o) { o.group_bytes_max = 65 << 10; }), HasSubstr("twice"));
  EXPECT_THAT(refused([](LaneOptions& o) { o.group_bytes_max = 1; }), HasSubstr("choose 4096"));
}

TEST(Lane, TakesUpSegmentsAndSparesOfAnotherSize) {
  const TempDir dir;
  KeepingSink sink;
  LaneOptions larger = small_lane(dir.lane());
  larger.segment_bytes *= 2;
  auto lane = open_lane(small_lane(dir.lane()), {}, sink);
  const auto write = [&](size_t records) {
    for (size_t i = 0; i < records; ++i) lane->submit({i, std::string(20'000, 'p'), nullptr});
    lane->stop();
  };
  write(10);
  const Mark first = sink.last();
  lane.reset();
  lane = open_lane(larger, first, sink);
  write(20);
  lane.reset();
  EXPECT_EQ(replay_all(replay_options(dir.lane())).records, sink.entries());
  lane = open_lane(larger, sink.last(), sink);
  lane->release(sink.last().frame);
  EXPECT_TRUE(eventually([&] { return lane->stats().closed_segments == 0; }));
  lane.reset();
  for (const std::string& path : files_named(dir.lane(), "spare-")) {
    EXPECT_EQ(std::filesystem::file_size(path), larger.segment_bytes);
  }
}

TEST(Head, SaysWhereTheLogStoodAndSurvivesATornSlot) {
  const TempDir dir;
  EXPECT_EQ(read_head(dir.path()).mark, Mark{});
  {
    Result<HeadFile> head = HeadFile::open(dir.path(), Disk::real());
    ASSERT_TRUE(head.ok());
    ASSERT_TRUE(head->write({{7, 70}, 1}).ok());
    ASSERT_TRUE(head->write({{8, 80}, 2}).ok());
    ASSERT_TRUE(head->write({{9, 90}, 3}).ok());
  }
  EXPECT_EQ(read_head(dir.path()).mark, (Mark{9, 90}));
  EXPECT_EQ(read_head(dir.path()).segment, 3);
  flip_byte(dir.path() + "/HEAD", 512 + 20);
  EXPECT_EQ(read_head(dir.path()).mark, (Mark{8, 80}));
  flip_byte(dir.path() + "/HEAD", 20);
  EXPECT_EQ(read_head(dir.path()).mark, Mark{});
}

TEST(Lane, NotesItsHeadAtAStopAndWhenAsked) {
  const TempDir dir;
  KeepingSink sink;
  auto lane = open_lane(small_lane(dir.lane()), {}, sink);
  lane->submit({1, "one", nullptr});
  sink.wait_for(1);
  EXPECT_EQ(read_head(dir.lane()).mark, Mark{});
  lane->note_head();
  EXPECT_EQ(read_head(dir.lane()).mark, lane->durable());
  lane->submit({1, "two", nullptr});
  lane->stop();
  EXPECT_EQ(read_head(dir.lane()).mark.frame, 2);
  EXPECT_EQ(read_head(dir.lane()).segment, 1);
}

}  // namespace
}  // namespace parley::log
