#include "storage/log/frame.hpp"

#include <bit>
#include <cstring>

#include "base/check.hpp"
#include "base/hash.hpp"

namespace parley::log {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the format is written as it lies in memory");

template <class T>
void put(char* bytes, size_t offset, T value) {
  std::memcpy(bytes + offset, &value, sizeof value);
}

template <class T>
T get(std::string_view bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

/// A segment's header: these offsets, at 0 and again at `second_copy` of the first block.
namespace segment_layout {
constexpr size_t checksum = 0;  // u64, XXH3 of [8, bytes)
constexpr size_t magic = 8;     // u64
constexpr size_t version = 16;  // u32
constexpr size_t lane = 20;     // u32
constexpr size_t store_id = 24;
constexpr size_t segment = 40;  // u64, as all below
constexpr size_t segment_bytes = 48;
constexpr size_t first_frame = 56;
constexpr size_t chain = 64;
constexpr size_t oldest_frame = 72;
constexpr size_t bytes = 96;
constexpr size_t second_copy = 2048;
constexpr uint64_t magic_value = 0x0000'4C41'5759'4C50;  // "PLYWAL"
}  // namespace segment_layout

/// A frame's header. The directory follows, then the previous keys (u64 each), then the payloads.
namespace frame_layout {
constexpr size_t checksum = 0;                 // u64, seeded XXH3 of [8, head_bytes)
constexpr size_t magic = 8;                    // u32
constexpr size_t identity = 12;                // u32, low half of the store's seed
constexpr size_t number = 16;                  // u64
constexpr size_t chain = 24;                   // u64
constexpr size_t segment = 32;                 // u64
constexpr size_t total_bytes = 40;             // u32
constexpr size_t head_bytes = 44;              // u32
constexpr size_t record_count = 48;            // u32
constexpr size_t previous_count = 52;          // u32
constexpr size_t flags = 56;                   // u32
constexpr uint32_t magic_value = 0x4659'4C50;  // "PLYF"
constexpr uint32_t previous_unknown = 1;
}  // namespace frame_layout

/// One record of the directory.
namespace slot_layout {
constexpr size_t key_hash = 0;   // u64
constexpr size_t offset = 8;     // u32
constexpr size_t length = 12;    // u32
constexpr size_t checksum = 16;  // u64
constexpr size_t bytes = 24;
}  // namespace slot_layout

constexpr size_t k_key_bytes = 8;
constexpr uint64_t k_seed_of_identities = 0x7061'726C'6579'6C67;

std::optional<SegmentHeader> decode_one_header(std::string_view bytes) {
  namespace at = segment_layout;
  if (bytes.size() < at::bytes || get<uint64_t>(bytes, at::magic) != at::magic_value) return {};
  if (hash64(bytes.substr(8, at::bytes - 8)) != get<uint64_t>(bytes, at::checksum)) return {};
  SegmentHeader header;
  header.version = get<uint32_t>(bytes, at::version);
  header.lane = get<uint32_t>(bytes, at::lane);
  header.store_id = Id128::from_bytes(bytes.substr(at::store_id, 16));
  header.segment = get<uint64_t>(bytes, at::segment);
  header.segment_bytes = get<uint64_t>(bytes, at::segment_bytes);
  header.first_frame = get<uint64_t>(bytes, at::first_frame);
  header.chain = get<uint64_t>(bytes, at::chain);
  header.oldest_frame = get<uint64_t>(bytes, at::oldest_frame);
  return header;
}

}  // namespace

StoreIdentity StoreIdentity::of(const Id128& store_id, uint32_t lane) {
  return {store_id, lane, hash64(store_id.view(), k_seed_of_identities + lane)};
}

void encode_segment_header(const SegmentHeader& header, char* block) {
  namespace at = segment_layout;
  std::memset(block, 0, k_block_bytes);
  put(block, at::magic, at::magic_value);
  put(block, at::version, header.version);
  put(block, at::lane, header.lane);
  std::memcpy(block + at::store_id, header.store_id.bytes.data(), header.store_id.bytes.size());
  put(block, at::segment, header.segment);
  put(block, at::segment_bytes, header.segment_bytes);
  put(block, at::first_frame, header.first_frame);
  put(block, at::chain, header.chain);
  put(block, at::oldest_frame, header.oldest_frame);
  put(block, at::checksum, hash64({block + 8, at::bytes - 8}));
  std::memcpy(block + at::second_copy, block, at::bytes);
}

std::optional<SegmentHeader> decode_segment_header(std::string_view block) {
  if (auto header = decode_one_header(block)) return header;
  if (block.size() < segment_layout::second_copy) return {};
  return decode_one_header(block.substr(segment_layout::second_copy));
}

size_t probe_frame(std::string_view bytes, const StoreIdentity& identity, uint64_t segment) {
  namespace at = frame_layout;
  if (bytes.size() < k_frame_header_bytes) return 0;
  if (get<uint32_t>(bytes, at::magic) != at::magic_value) return 0;
  if (get<uint32_t>(bytes, at::identity) != static_cast<uint32_t>(identity.seed)) return 0;
  if (get<uint64_t>(bytes, at::segment) != segment) return 0;
  const uint64_t total = get<uint32_t>(bytes, at::total_bytes);
  const uint64_t head = get<uint32_t>(bytes, at::head_bytes);
  const uint64_t expected = k_frame_header_bytes +
                            slot_layout::bytes * uint64_t{get<uint32_t>(bytes, at::record_count)} +
                            k_key_bytes * uint64_t{get<uint32_t>(bytes, at::previous_count)};
  if (head != expected || total < head || total % k_block_bytes != 0) return 0;
  return head;
}

std::optional<FrameHead> decode_frame_head(std::string_view head, const StoreIdentity& identity) {
  namespace at = frame_layout;
  if (head.size() < k_frame_header_bytes || head.size() != get<uint32_t>(head, at::head_bytes)) {
    return {};
  }
  FrameHead frame;
  frame.checksum = get<uint64_t>(head, at::checksum);
  if (hash64(head.substr(8), identity.seed) != frame.checksum) return {};
  frame.number = get<uint64_t>(head, at::number);
  frame.chain = get<uint64_t>(head, at::chain);
  frame.total_bytes = get<uint32_t>(head, at::total_bytes);
  frame.previous_known = (get<uint32_t>(head, at::flags) & at::previous_unknown) == 0;
  frame.records.resize(get<uint32_t>(head, at::record_count));
  size_t offset = k_frame_header_bytes;
  for (RecordSlot& slot : frame.records) {
    slot.key_hash = get<uint64_t>(head, offset + slot_layout::key_hash);
    slot.offset = get<uint32_t>(head, offset + slot_layout::offset);
    slot.length = get<uint32_t>(head, offset + slot_layout::length);
    slot.checksum = get<uint64_t>(head, offset + slot_layout::checksum);
    if (slot.offset < head.size() || uint64_t{slot.offset} + slot.length > frame.total_bytes)
      return {};
    offset += slot_layout::bytes;
  }
  frame.previous_keys.resize(get<uint32_t>(head, at::previous_count));
  for (uint64_t& key : frame.previous_keys) {
    key = get<uint64_t>(head, offset);
    offset += k_key_bytes;
  }
  return frame;
}

bool payload_intact(const RecordSlot& slot, std::string_view frame) {
  if (uint64_t{slot.offset} + slot.length > frame.size()) return false;
  return hash64(frame.substr(slot.offset, slot.length)) == slot.checksum;
}

void FrameWriter::start_after(Mark last, std::optional<std::vector<uint64_t>> keys) {
  last_ = last;
  keys_ = std::move(keys);
}

uint64_t FrameWriter::frame_bytes(size_t records, uint64_t payload_bytes) const {
  const size_t previous = keys_ ? keys_->size() : 0;
  return whole_blocks(k_frame_header_bytes + slot_layout::bytes * records + k_key_bytes * previous +
                      payload_bytes);
}

std::string_view FrameWriter::build(std::span<const FrameRecord> records,
                                    const StoreIdentity& identity, uint64_t segment) {
  namespace at = frame_layout;
  uint64_t payload_bytes = 0;
  for (const FrameRecord& record : records) payload_bytes += record.payload.size();
  const size_t previous = keys_ ? keys_->size() : 0;
  const size_t head =
      k_frame_header_bytes + slot_layout::bytes * records.size() + k_key_bytes * previous;
  const uint64_t total = frame_bytes(records.size(), payload_bytes);
  PARLEY_CHECK(total <= UINT32_MAX);
  char* const frame = buffer_.reserve(total);

  std::memset(frame, 0, k_frame_header_bytes);
  built_keys_.emplace();
  size_t slot = k_frame_header_bytes;
  size_t payload = head;
  for (const FrameRecord& record : records) {
    put(frame, slot + slot_layout::key_hash, record.key_hash);
    put(frame, slot + slot_layout::offset, static_cast<uint32_t>(payload));
    put(frame, slot + slot_layout::length, static_cast<uint32_t>(record.payload.size()));
    put(frame, slot + slot_layout::checksum, hash64(record.payload));
    slot += slot_layout::bytes;
    std::memcpy(frame + payload, record.payload.data(), record.payload.size());
    payload += record.payload.size();
    built_keys_->push_back(record.key_hash);
  }
  if (previous > 0) std::memcpy(frame + slot, keys_->data(), k_key_bytes * previous);
  std::memset(frame + payload, 0, total - payload);

  put(frame, at::magic, at::magic_value);
  put(frame, at::identity, static_cast<uint32_t>(identity.seed));
  put(frame, at::number, last_.frame + 1);
  put(frame, at::chain, last_.chain);
  put(frame, at::segment, segment);
  put(frame, at::total_bytes, static_cast<uint32_t>(total));
  put(frame, at::head_bytes, static_cast<uint32_t>(head));
  put(frame, at::record_count, static_cast<uint32_t>(records.size()));
  put(frame, at::previous_count, static_cast<uint32_t>(previous));
  put(frame, at::flags, keys_ ? 0U : at::previous_unknown);
  const uint64_t checksum = hash64({frame + 8, head - 8}, identity.seed);
  put(frame, at::checksum, checksum);
  built_ = {last_.frame + 1, checksum};
  if (built_keys_->size() > k_previous_keys_max) built_keys_.reset();
  return {frame, total};
}

void FrameWriter::accept() {
  last_ = built_;
  std::swap(keys_, built_keys_);
}

}  // namespace parley::log
