#pragma once

#include <string>
#include <vector>

#include "tests/storage/log/log_fixture.hpp"

namespace parley::log {

struct BuiltFrame {
  uint64_t number = 0;
  std::string path;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  std::vector<Written> records;
};

/// Writes a log exactly as a test says, without a lane: which record is in which frame, which frame
/// where.
class LogBuilder {
 public:
  explicit LogBuilder(std::string directory, Id128 store = k_store)
      : directory_(std::move(directory)), identity_(StoreIdentity::of(store, 0)) {
    std::filesystem::create_directories(directory_);
    writer_.start_after({}, std::vector<uint64_t>());
  }

  /// `before`: what an earlier use left in the file.
  void begin_segment(const std::string& before = std::string(k_small_segment, '\0')) {
    ++segment_;
    SegmentHeader header{identity_.store_id, 0, k_format_version, segment_};
    header.segment_bytes = k_small_segment;
    header.first_frame = writer_.last().frame + 1;
    header.chain = writer_.last().chain;
    header.oldest_frame =
        before.find_first_not_of('\0') == std::string::npos ? header.first_frame : 0;
    write_bytes(path(), 0, before);
    std::string block(k_block_bytes, '\0');
    encode_segment_header(header, block.data());
    write_bytes(path(), 0, block);
    offset_ = k_block_bytes;
  }

  const BuiltFrame& frame(const std::vector<FrameRecord>& records) {
    const std::string_view bytes = writer_.build(records, identity_, segment_);
    EXPECT_LE(offset_ + bytes.size(), k_small_segment);
    write_bytes(path(), offset_, bytes);
    writer_.accept();
    BuiltFrame built{writer_.last().frame, path(), offset_, bytes.size(), {}};
    for (const FrameRecord& record : records) {
      built.records.push_back({built.number, record.key_hash, std::string(record.payload)});
    }
    offset_ += bytes.size();
    marks_.push_back(writer_.last());
    return frames_.emplace_back(std::move(built));
  }
  [[nodiscard]] bool has_room(uint64_t bytes) const { return offset_ + bytes <= k_small_segment; }

  /// Two segments, six frames of one record each with keys 101 to 106; the second begins with
  /// frame 4.
  void build_six() {
    for (uint64_t number = 1; number <= 6; ++number) {
      if (number == 1 || number == 4) begin_segment();
      const std::string payload(number * 1500, static_cast<char>('a' + number));
      frame({{100 + number, payload}});
    }
  }

  [[nodiscard]] std::string path() const { return segment_path(directory_, segment_); }
  [[nodiscard]] const std::vector<BuiltFrame>& frames() const { return frames_; }
  /// By number, from 1.
  [[nodiscard]] const BuiltFrame& at(uint64_t number) const { return frames_.at(number - 1); }
  [[nodiscard]] Mark mark(uint64_t number) const {
    return number == 0 ? Mark{} : marks_.at(number - 1);
  }
  [[nodiscard]] std::vector<Written> records() const {
    std::vector<Written> all;
    for (const BuiltFrame& built : frames_) {
      all.insert(all.end(), built.records.begin(), built.records.end());
    }
    return all;
  }

 private:
  std::string directory_;
  StoreIdentity identity_;
  FrameWriter writer_;
  uint64_t segment_ = 0;
  uint64_t offset_ = 0;
  std::vector<BuiltFrame> frames_;
  std::vector<Mark> marks_;
};

}  // namespace parley::log
