#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "storage/log/disk.hpp"
#include "storage/log/mark.hpp"

/// The layout of segments and frames: bytes in, bytes out, no files. All numbers are little-endian;
/// frame.cpp has the offsets. A change of any of it needs a new k_format_version.
namespace parley::log {

inline constexpr uint64_t k_block_bytes = 4096;  ///< everything begins and ends on these
inline constexpr uint32_t k_format_version = 1;
/// A frame repeats the keys of the one before, unless those were more.
inline constexpr size_t k_previous_keys_max = 4096;

constexpr uint64_t whole_blocks(uint64_t bytes) {
  return (bytes + k_block_bytes - 1) / k_block_bytes * k_block_bytes;
}

/// Which log a frame belongs to. The seed makes a frame's bytes impossible to foresee for somebody
/// who chooses payloads: what lies in a payload is never taken for a frame.
struct StoreIdentity {
  Id128 store_id;
  uint32_t lane = 0;
  uint64_t seed = 0;
  static StoreIdentity of(const Id128& store_id, uint32_t lane);
};

/// The first block of a segment says this twice, so that one damaged sector does not hide it.
struct SegmentHeader {
  Id128 store_id;
  uint32_t lane = 0;
  uint32_t version = k_format_version;
  uint64_t segment = 0;
  uint64_t segment_bytes = 0;
  uint64_t first_frame = 0;
  uint64_t chain = 0;  ///< before the first frame
  uint64_t oldest_frame =
      0;  ///< lower than `first_frame` where an earlier use left bytes behind the new ones
};

void encode_segment_header(const SegmentHeader& header, char* block);
/// From either copy; nothing if both are damaged. An unknown version is an answer, not a damage.
std::optional<SegmentHeader> decode_segment_header(std::string_view block);

struct RecordSlot {
  uint64_t key_hash = 0;
  uint32_t offset = 0;  ///< of the payload, from the frame's begin
  uint32_t length = 0;
  uint64_t checksum = 0;  ///< XXH3 of the payload
};

/// All of a frame but its payloads: header, directory, and the copy of the previous frame's keys.
struct FrameHead {
  uint64_t number = 0;
  uint64_t chain = 0;     ///< the previous frame's `checksum`
  uint64_t checksum = 0;  ///< of these bytes
  uint32_t total_bytes = 0;
  std::vector<RecordSlot> records;
  bool previous_known = true;
  std::vector<uint64_t> previous_keys;  ///< by record, so with repetitions
};

inline constexpr size_t k_frame_header_bytes = 64;

/// How many bytes the head of the frame that begins here takes, 0 if none of this log and segment
/// begins.
size_t probe_frame(std::string_view bytes, const StoreIdentity& identity, uint64_t segment);
/// `head` is what `probe_frame` asked for. Nothing if the checksum or a bound is wrong.
std::optional<FrameHead> decode_frame_head(std::string_view head, const StoreIdentity& identity);
/// Whether a record's payload, as far as it is in `frame`, is what was written.
bool payload_intact(const RecordSlot& slot, std::string_view frame);

struct FrameRecord {
  uint64_t key_hash = 0;
  std::string_view payload;
};

/// Builds a lane's frames one after the other in aligned memory, and remembers what the next one
/// repeats. Runs on the lane's commit thread.
class FrameWriter {
 public:
  /// Continues after a frame: its number, its checksum, its keys (nothing if they are not known).
  void start_after(Mark last, std::optional<std::vector<uint64_t>> keys);

  /// Padded size of the next frame with so many records and bytes of payload.
  [[nodiscard]] uint64_t frame_bytes(size_t records, uint64_t payload_bytes) const;
  /// The next frame. It lives until the next call.
  std::string_view build(std::span<const FrameRecord> records, const StoreIdentity& identity,
                         uint64_t segment);
  /// The frame just built is durable: the next one follows it.
  void accept();

  [[nodiscard]] Mark last() const { return last_; }

 private:
  AlignedBuffer buffer_;
  Mark last_;
  Mark built_;
  std::optional<std::vector<uint64_t>> keys_;
  std::optional<std::vector<uint64_t>> built_keys_;
};

}  // namespace parley::log
