#include "storage/log/replay.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/storage/log/log_builder.hpp"

namespace parley::log {
namespace {

using testing::HasSubstr;

/// Two segments with frames 1 to 3 and 4 to 6, one record each, keys 101 to 106.
class ReplayOfSix : public testing::Test {
 protected:
  ReplayOfSix() { log_.build_six(); }
  [[nodiscard]] Replayed run(uint64_t durable_floor = 0, Mark after = {}) const {
    ReplayOptions options = replay_options(dir_.lane(), after);
    options.durable_floor = durable_floor;
    return replay_all(options);
  }
  /// All but these frames were delivered.
  void expect_all_but(const Replayed& all, const std::vector<uint64_t>& numbers) const {
    std::vector<Written> expected;
    for (const Written& record : log_.records()) {
      if (std::ranges::find(numbers, record.frame) == numbers.end()) expected.push_back(record);
    }
    ASSERT_TRUE(all.status.ok()) << all.status;
    EXPECT_EQ(all.records, expected);
  }
  /// The only damage is that this frame's key lost records.
  static void expect_only_key(const Replayed& all, uint64_t frame) {
    ASSERT_EQ(all.report.damages.size(), 1);
    EXPECT_EQ(all.report.damages[0].frame, frame);
    EXPECT_EQ(all.report.damages[0].key_hashes, std::vector<uint64_t>{100 + frame});
    EXPECT_FALSE(all.report.damages[0].extent_unknown);
    EXPECT_THAT(all.report.damages[0].what, HasSubstr("restore a backup"));
    EXPECT_THAT(all.report.damages[0].what, HasSubstr("at offset"));
  }
  void fill(uint64_t frame, uint64_t begin, uint64_t end, char byte) const {
    const BuiltFrame& built = log_.at(frame);
    write_bytes(built.path, built.offset + begin, std::string(end - begin, byte));
  }
  uint64_t payload_offset(uint64_t frame) const {
    return log_.at(frame).offset + k_frame_header_bytes + 24 + (frame > 1 ? 8 : 0);
  }

  TempDir dir_;
  LogBuilder log_{dir_.lane()};
};

TEST_F(ReplayOfSix, DeliversAllInOrder) {
  const Replayed all = run();
  expect_all_but(all, {});
  EXPECT_EQ(all.report.last, log_.mark(6));
  EXPECT_EQ(all.report.frames, 6);
  EXPECT_EQ(all.report.records, 6);
  EXPECT_EQ(all.report.bytes, 1500 * 21);
  EXPECT_EQ(all.report.torn_bytes, 0);
  EXPECT_TRUE(all.report.damages.empty());
}

TEST_F(ReplayOfSix, DeliversOnlyWhatIsWanted) {
  for (uint64_t after = 0; after <= 6; ++after) {
    const Replayed all = run(0, log_.mark(after));
    ASSERT_TRUE(all.status.ok()) << all.status;
    EXPECT_EQ(all.records.size(), 6 - after);
    EXPECT_EQ(all.report.last, log_.mark(6));
    EXPECT_TRUE(all.report.damages.empty());
  }
}

TEST_F(ReplayOfSix, EndsWithTheErrorOfTheCallback) {
  size_t calls = 0;
  const auto report = replay(replay_options(dir_.lane()), [&](const ReplayedRecord&) {
    return ++calls == 3 ? absl::InternalError("enough") : Status();
  });
  EXPECT_EQ(report.status().message(), "enough");
  EXPECT_EQ(calls, 3);
}

TEST(Replay, OfNoDirectoryIsTheBeginningOfAStore) {
  const TempDir dir;
  const Replayed all = replay_all(replay_options(dir.lane()));
  ASSERT_TRUE(all.status.ok());
  EXPECT_EQ(all.report.last, Mark{});
  EXPECT_TRUE(all.report.damages.empty());
  ReplayOptions known = replay_options(dir.lane());
  known.durable_floor = 1;
  EXPECT_TRUE(replay_all(known).report.extent_unknown());
  EXPECT_TRUE(replay_all(replay_options(dir.lane(), {5, 50})).report.extent_unknown());
  EXPECT_EQ(replay_all(replay_options(dir.lane(), {5, 50})).report.last, (Mark{5, 50}));
}

TEST_F(ReplayOfSix, CutsATornTailOfAnyKind) {
  const uint64_t bytes = log_.at(6).bytes;
  const std::string whole = read_bytes(log_.at(6).path);
  const std::vector<std::function<void()>> tears = {
      [&] { fill(6, 0, bytes, '\0'); },             // nothing arrived
      [&] { fill(6, 4096, bytes, '\0'); },          // the first block
      [&] { fill(6, 0, 4096, '\0'); },              // all but the first block
      [&] { fill(6, bytes - 4096, bytes, '\0'); },  // all but the last block
      [&] { fill(6, 0, 512, '\0'); },               // all but the first sector
      [&] { fill(6, 0, bytes, '#'); },              // garbage
      [&] { fill(6, 70, 71, '#'); },                // one byte of the directory
      [&] { fill(6, 3000, 3001, '#'); },            // one byte of the payload
  };
  for (size_t i = 0; i < tears.size(); ++i) {
    write_bytes(log_.at(6).path, 0, whole);
    tears[i]();
    const Replayed all = run(5);
    expect_all_but(all, {6});
    EXPECT_EQ(all.report.last, log_.mark(5)) << "tear " << i;
    EXPECT_TRUE(all.report.damages.empty()) << "tear " << i;
    EXPECT_EQ(all.report.torn_bytes > 0, i > 0) << "tear " << i;
  }
}

TEST_F(ReplayOfSix, CutsNothingBelowWhatIsKnownToBeDurable) {
  flip_byte(log_.at(6).path, payload_offset(6) + 100);
  const Replayed payload = run(6);
  expect_all_but(payload, {6});
  expect_only_key(payload, 6);
  EXPECT_EQ(payload.report.last, log_.mark(6));
  flip_byte(log_.at(6).path, log_.at(6).offset + 17);
  const Replayed header = run(6);
  expect_all_but(header, {6});
  EXPECT_TRUE(header.report.extent_unknown());
  EXPECT_EQ(header.report.last.frame, 6) << "its number is not given again";
}

TEST_F(ReplayOfSix, KnowsFromHeadWhatIsDurable) {
  ASSERT_TRUE(HeadFile::open(dir_.lane(), Disk::real())->write({log_.mark(6), 2}).ok());
  flip_byte(log_.at(6).path, payload_offset(6));
  expect_only_key(run(), 6);
}

TEST_F(ReplayOfSix, NamesTheKeyOfAFlippedPayload) {
  for (uint64_t frame = 1; frame <= 5; ++frame) {
    flip_byte(log_.at(frame).path, payload_offset(frame) + 7);
    const Replayed all = run();
    expect_all_but(all, {frame});
    expect_only_key(all, frame);
    EXPECT_EQ(all.report.last, log_.mark(6));
    flip_byte(log_.at(frame).path, payload_offset(frame) + 7);
  }
}

TEST_F(ReplayOfSix, FindsTheKeysOfALostHeaderInTheNextFrame) {
  for (uint64_t frame = 1; frame <= 5; ++frame) {
    for (const uint64_t at : {0, 8, 20, 30, 41, 45, 70, 80}) {
      flip_byte(log_.at(frame).path, log_.at(frame).offset + at);
      const Replayed all = run();
      expect_all_but(all, {frame});
      expect_only_key(all, frame);
      flip_byte(log_.at(frame).path, log_.at(frame).offset + at);
    }
  }
}

TEST_F(ReplayOfSix, DoesNotMindDamageToWhatIsNotWanted) {
  flip_byte(log_.at(1).path, payload_offset(1));
  flip_byte(log_.at(2).path, log_.at(2).offset + 20);
  const Replayed all = run(6, log_.mark(2));
  expect_all_but(all, {1, 2});
  EXPECT_TRUE(all.report.damages.empty());
  flip_byte(log_.at(3).path, log_.at(3).offset + 20);
  expect_only_key(run(6, log_.mark(2)), 3);
}

TEST_F(ReplayOfSix, CannotNameTheKeysOfTwoLostFrames) {
  fill(2, 0, 64, '#');
  fill(3, 0, 64, '#');
  const Replayed all = run();
  expect_all_but(all, {2, 3});
  ASSERT_EQ(all.report.damages.size(), 1);
  EXPECT_EQ(all.report.damages[0].frame, 2);
  EXPECT_TRUE(all.report.damages[0].extent_unknown);
}

TEST_F(ReplayOfSix, NoticesAMissingSegment) {
  std::filesystem::remove(log_.at(1).path);
  const Replayed first = run();
  expect_all_but(first, {1, 2, 3});
  EXPECT_TRUE(first.report.extent_unknown());
  EXPECT_TRUE(run(0, log_.mark(3)).report.damages.empty());
  EXPECT_TRUE(run(0, log_.mark(2)).report.damages[0].key_hashes == std::vector<uint64_t>{103});
}

TEST_F(ReplayOfSix, NoticesAMissingLastSegmentByHead) {
  ASSERT_TRUE(HeadFile::open(dir_.lane(), Disk::real())->write({log_.mark(3), 2}).ok());
  std::filesystem::remove(log_.at(4).path);
  const Replayed all = run();
  expect_all_but(all, {4, 5, 6});
  ASSERT_TRUE(all.report.extent_unknown());
  EXPECT_THAT(all.report.damages[0].what, HasSubstr("is missing"));
}

TEST_F(ReplayOfSix, NoticesAShortenedFile) {
  std::filesystem::resize_file(log_.at(6).path, log_.at(6).offset);
  const Replayed last = run();
  expect_all_but(last, {6});
  ASSERT_TRUE(last.report.extent_unknown());
  EXPECT_THAT(last.report.damages[0].what, HasSubstr("shortened"));
  std::filesystem::resize_file(log_.at(3).path, log_.at(3).offset + 100);
  const Replayed both = run();
  expect_all_but(both, {3, 6});
  ASSERT_FALSE(both.report.damages.empty());
  EXPECT_EQ(both.report.damages[0].frame, 3);
  EXPECT_EQ(both.report.damages[0].key_hashes, std::vector<uint64_t>{103});
  std::filesystem::resize_file(log_.at(3).path, 0);
  EXPECT_TRUE(run().report.extent_unknown());
}

TEST_F(ReplayOfSix, DoesNotMindAClosedSegmentThatLacksOnlyItsUnusedEnd) {
  std::filesystem::resize_file(log_.at(3).path, log_.at(3).offset + log_.at(3).bytes);
  const Replayed all = run();
  expect_all_but(all, {});
  EXPECT_TRUE(all.report.damages.empty());
}

TEST_F(ReplayOfSix, NoticesALogThatEndsTooEarly) {
  const Replayed all = run(8);
  expect_all_but(all, {});
  ASSERT_TRUE(all.report.extent_unknown());
  EXPECT_EQ(all.report.damages[0].frame, 7);
  EXPECT_EQ(all.report.last.frame, 8);
  EXPECT_TRUE(run(0, {9, 1}).report.extent_unknown());
}

TEST_F(ReplayOfSix, RefusesToContinueAnotherHistory) {
  for (uint64_t after = 0; after <= 6; ++after) {
    Mark wrong = log_.mark(after);
    wrong.chain += 1;
    const Replayed all = run(0, wrong);
    EXPECT_EQ(all.status.code(), absl::StatusCode::kDataLoss) << after;
    EXPECT_THAT(all.status.message(), HasSubstr("same backup"));
    EXPECT_TRUE(all.records.empty());
  }
}

TEST_F(ReplayOfSix, NoticesASegmentOfAnotherHistoryInTheMiddle) {
  const TempDir other_dir;
  LogBuilder other(other_dir.lane());
  other.begin_segment();
  for (int i = 0; i < 3; ++i) other.frame({{7, "other"}});
  std::filesystem::copy_file(other.path(), log_.at(1).path,
                             std::filesystem::copy_options::overwrite_existing);
  const Replayed all = run();
  ASSERT_TRUE(all.status.ok()) << all.status;
  ASSERT_TRUE(all.report.extent_unknown());
  EXPECT_EQ(all.report.damages[0].frame, 4);
}

TEST_F(ReplayOfSix, NoticesAFrameOfAnotherHistory) {
  const TempDir other_dir;
  LogBuilder other(other_dir.lane());
  other.begin_segment();
  for (uint64_t number = 1; number <= 3; ++number)
    other.frame({{7, std::string(number * 1500, '?')}});
  const BuiltFrame& stray = other.at(2);
  ASSERT_EQ(stray.offset, log_.at(2).offset);
  write_bytes(log_.at(2).path, stray.offset,
              read_bytes(stray.path).substr(stray.offset, stray.bytes));
  const Replayed all = run();
  ASSERT_TRUE(all.report.extent_unknown());
  EXPECT_EQ(all.report.damages[0].frame, 2);
  EXPECT_THAT(all.report.damages[0].what, HasSubstr("does not continue"));
}

TEST_F(ReplayOfSix, RefusesSegmentsThatOverlap) {
  log_.begin_segment();
  SegmentHeader header{k_store, 0, k_format_version, 3, k_small_segment, 2, log_.mark(1).chain, 2};
  std::string block(k_block_bytes, '\0');
  encode_segment_header(header, block.data());
  write_bytes(log_.path(), 0, block);
  const Replayed all = run();
  EXPECT_EQ(all.status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(all.status.message(), HasSubstr("two histories"));
}

TEST_F(ReplayOfSix, RefusesAnotherStoresLog) {
  ReplayOptions options = replay_options(dir_.lane());
  options.store_id = Id128::from_bytes("fedcba9876543210");
  EXPECT_EQ(replay_all(options).status.code(), absl::StatusCode::kFailedPrecondition);
  options = replay_options(dir_.lane());
  options.lane = 1;
  EXPECT_EQ(replay_all(options).status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ReplayOfSix, RefusesANewerFormat) {
  SegmentHeader header{k_store,         0, k_format_version + 1, 2,
                       k_small_segment, 4, log_.mark(3).chain,   4};
  std::string block(k_block_bytes, '\0');
  encode_segment_header(header, block.data());
  write_bytes(log_.at(4).path, 0, block);
  const Replayed all = run();
  EXPECT_EQ(all.status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(all.status.message(), HasSubstr("version"));
}

TEST_F(ReplayOfSix, RefusesARenamedSegment) {
  std::filesystem::rename(log_.at(4).path, segment_path(dir_.lane(), 9));
  EXPECT_EQ(run().status.code(), absl::StatusCode::kDataLoss);
}

TEST_F(ReplayOfSix, DeliversASegmentWhoseHeaderIsLost) {
  for (const uint64_t segment : {1, 4}) {
    for (const uint64_t copy : {0, 2048}) flip_byte(log_.at(segment).path, copy + 30);
    const Replayed all = run();
    expect_all_but(all, {});
    EXPECT_TRUE(all.report.extent_unknown());
    EXPECT_EQ(run(0, log_.mark(2)).records.size(), 4);
  }
}

TEST(Replay, DoesNotTakeFramesOfAnEarlierUseForItsOwn) {
  const TempDir dir;
  LogBuilder log(dir.lane());
  log.begin_segment();
  for (int i = 0; i < 8; ++i) log.frame({{1, std::string(9'000, 'o')}});
  const std::string old = read_bytes(log.path());
  for (int segment = 0; segment < 3; ++segment) {
    log.begin_segment(old);
    for (int i = 0; i < 3; ++i) log.frame({{2, std::string(3'000, 'n')}});
  }
  const Replayed all = replay_all(replay_options(dir.lane()));
  ASSERT_TRUE(all.status.ok()) << all.status;
  EXPECT_EQ(all.records, log.records());
  EXPECT_TRUE(all.report.damages.empty());
  EXPECT_EQ(all.report.torn_bytes, 0);
}

TEST(Replay, DoesNotTakeAPayloadForAFrame) {
  const TempDir dir;
  LogBuilder log(dir.lane());
  log.begin_segment();
  // A client that has seen frames of another store sends one that would come later, on every block.
  FrameWriter forger;
  forger.start_after({50, 0}, std::nullopt);
  const std::string forged(forger.build(std::vector<FrameRecord>{{9, "forged"}},
                                        StoreIdentity::of(Id128::from_bytes("fedcba9876543210"), 0),
                                        1));
  const BuiltFrame& last = log.frame({{1, std::string(4096 - 64 - 24, '.') + forged + forged}});
  flip_byte(last.path, last.offset + 200);
  const Replayed all = replay_all(replay_options(dir.lane()));
  ASSERT_TRUE(all.status.ok());
  EXPECT_TRUE(all.records.empty());
  EXPECT_TRUE(all.report.damages.empty()) << "only a torn tail";
}

TEST_F(ReplayOfSix, IsFollowedByALaneThatWritesOverATornTail) {
  fill(6, 4096, log_.at(6).bytes, '\0');
  const Replayed torn = run();
  ASSERT_EQ(torn.report.last, log_.mark(5));
  KeepingSink sink;
  auto lane = open_lane(small_lane(dir_.lane()), torn.report.last, sink);
  EXPECT_EQ(run().report.torn_bytes, 0) << "the header is gone";
  lane->submit({7, "new", nullptr});
  lane->stop();
  const Replayed all = run();
  ASSERT_TRUE(all.status.ok());
  ASSERT_EQ(all.records.size(), 6);
  EXPECT_EQ(all.records.back(), (Written{6, 7, "new"}));
  EXPECT_TRUE(all.report.damages.empty());
}

TEST_F(ReplayOfSix, IsFollowedByALaneAlsoAfterDamage) {
  flip_byte(log_.at(4).path, log_.at(4).offset + 20);
  const Replayed damaged = run();
  KeepingSink sink;
  auto lane = open_lane(small_lane(dir_.lane()), damaged.report.last, sink);
  lane->submit({7, "new", nullptr});
  lane->stop();
  const Replayed all = run();
  expect_only_key(all, 4);
  EXPECT_EQ(all.records.back(), (Written{7, 7, "new"}));
}

}  // namespace
}  // namespace parley::log
