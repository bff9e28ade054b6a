#include "storage/log/frame.hpp"

#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "tests/storage/log/log_fixture.hpp"

namespace parley::log {
namespace {

const StoreIdentity k_identity = StoreIdentity::of(k_store, 3);
constexpr uint64_t k_segment = 7;

std::optional<FrameHead> decode(std::string_view frame, uint64_t segment = k_segment,
                                const StoreIdentity& identity = k_identity) {
  const size_t head_bytes = probe_frame(frame, identity, segment);
  if (head_bytes == 0 || head_bytes > frame.size()) return {};
  return decode_frame_head(frame.substr(0, head_bytes), identity);
}

TEST(Frame, GivesBackWhatWasWritten) {
  FrameWriter writer;
  writer.start_after({41, 4711}, std::vector<uint64_t>{5, 6, 5});
  const std::string large(10'001, 'x');
  const std::string frame(writer.build(std::vector<FrameRecord>{{1, "one"}, {2, ""}, {1, large}},
                                       k_identity, k_segment));
  EXPECT_EQ(frame.size() % k_block_bytes, 0);
  EXPECT_EQ(frame.size(), writer.frame_bytes(3, 3 + large.size()));
  const std::optional<FrameHead> head = decode(frame);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->number, 42);
  EXPECT_EQ(head->chain, 4711);
  EXPECT_EQ(head->total_bytes, frame.size());
  EXPECT_TRUE(head->previous_known);
  EXPECT_EQ(head->previous_keys, (std::vector<uint64_t>{5, 6, 5}));
  ASSERT_EQ(head->records.size(), 3);
  EXPECT_EQ(head->records[1].key_hash, 2);
  for (const RecordSlot& slot : head->records) EXPECT_TRUE(payload_intact(slot, frame));
  EXPECT_EQ(frame.substr(head->records[2].offset, head->records[2].length), large);
}

TEST(Frame, FollowsOnlyAFrameThatWasAccepted) {
  FrameWriter writer;
  const std::vector<FrameRecord> records = {{9, "payload"}};
  const auto first = decode(writer.build(records, k_identity, k_segment));
  const auto again = decode(writer.build(records, k_identity, k_segment));
  EXPECT_EQ(again->number, first->number);
  writer.accept();
  const auto second = decode(writer.build(records, k_identity, k_segment));
  EXPECT_EQ(second->number, first->number + 1);
  EXPECT_EQ(second->chain, first->checksum);
  EXPECT_EQ(second->previous_keys, std::vector<uint64_t>{9});
}

TEST(Frame, DetectsEveryFlippedBitOfItsHead) {
  FrameWriter writer;
  writer.start_after({1, 2}, std::vector<uint64_t>{3, 4});
  std::string frame(
      writer.build(std::vector<FrameRecord>{{1, "one"}, {2, "two"}}, k_identity, k_segment));
  const size_t head_bytes = probe_frame(frame, k_identity, k_segment);
  for (size_t bit = 0; bit < head_bytes * 8; ++bit) {
    frame[bit / 8] = static_cast<char>(frame[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(decode(frame)) << "bit " << bit;
    frame[bit / 8] = static_cast<char>(frame[bit / 8] ^ (1 << bit % 8));
  }
  EXPECT_TRUE(decode(frame));
}

TEST(Frame, NamesTheRecordOfAFlippedPayload) {
  FrameWriter writer;
  std::string frame(writer.build(std::vector<FrameRecord>{{1, "one"}, {2, "two"}, {3, "three"}},
                                 k_identity, k_segment));
  const auto head = decode(frame);
  frame[head->records[1].offset] = 'T';
  EXPECT_TRUE(payload_intact(head->records[0], frame));
  EXPECT_FALSE(payload_intact(head->records[1], frame));
  EXPECT_TRUE(payload_intact(head->records[2], frame));
  EXPECT_FALSE(payload_intact(head->records[0], std::string_view(frame).substr(0, 100)));
}

TEST(Frame, SaysThatTooManyPreviousKeysAreNotKnown) {
  for (const size_t count : {k_previous_keys_max, k_previous_keys_max + 1}) {
    FrameWriter writer;
    const std::vector<FrameRecord> many(count, FrameRecord{8, "x"});
    writer.build(many, k_identity, k_segment);
    writer.accept();
    const std::string next(
        writer.build(std::vector<FrameRecord>{{1, "one"}}, k_identity, k_segment));
    const auto head = decode(next);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->previous_known, count == k_previous_keys_max);
    EXPECT_EQ(head->previous_keys.size(), head->previous_known ? count : 0);
  }
}

TEST(Frame, IsNotTakenForOneOfAnotherStoreLaneOrSegment) {
  FrameWriter writer;
  const std::string frame(
      writer.build(std::vector<FrameRecord>{{1, "one"}}, k_identity, k_segment));
  EXPECT_TRUE(decode(frame));
  EXPECT_FALSE(decode(frame, k_segment + 1));
  EXPECT_FALSE(decode(frame, k_segment, StoreIdentity::of(k_store, 4)));
  const StoreIdentity other = StoreIdentity::of(Id128::from_bytes("fedcba9876543210"), 3);
  EXPECT_FALSE(decode(frame, k_segment, other));
}

TEST(SegmentHeader, SurvivesTheLossOfOneCopy) {
  SegmentHeader header{k_store, 3, k_format_version, 12, 64 << 20, 99, 77, 55};
  std::string block(k_block_bytes, '?');
  encode_segment_header(header, block.data());
  for (const size_t damaged : {size_t{0}, size_t{2048}}) {
    std::string half = block;
    half.replace(damaged, 2048, 2048, '#');
    const auto read = decode_segment_header(half);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->store_id, k_store);
    EXPECT_EQ(read->lane, 3);
    EXPECT_EQ(read->segment, 12);
    EXPECT_EQ(read->segment_bytes, 64 << 20);
    EXPECT_EQ(read->first_frame, 99);
    EXPECT_EQ(read->chain, 77);
    EXPECT_EQ(read->oldest_frame, 55);
  }
  EXPECT_FALSE(decode_segment_header(std::string(k_block_bytes, '\0')));
  EXPECT_FALSE(decode_segment_header(std::string_view(block).substr(0, 50)));
}

// These bytes lie on disks: a change here needs a new k_format_version.
TEST(Format, IsTheOneThatWasPublished) {
  std::string block(k_block_bytes, '\0');
  encode_segment_header({k_store, 3, k_format_version, 12, 64 << 20, 99, 77, 55}, block.data());
  EXPECT_EQ(hash64(block), 15004644216358480722U);
  FrameWriter writer;
  writer.start_after({41, 4711}, std::vector<uint64_t>{5, 6});
  const std::vector<FrameRecord> records = {{1, "one"}, {2, "two"}};
  EXPECT_EQ(hash64(writer.build(records, k_identity, k_segment)), 3032750829292718507U);
}

}  // namespace
}  // namespace parley::log
