#include "storage/log/replay.hpp"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "storage/log/frame.hpp"
#include "storage/log/head.hpp"
#include "storage/log/segment.hpp"

namespace parley::log {
namespace {

constexpr const char* k_restore = "; restore a backup, or accept the loss of what it touches";

/// One replay. Walks the segments in order with the number and chain of the last frame in hand.
class Replay {
 public:
  Replay(const ReplayOptions& options, const ReplayCallback& callback)
      : options_(options),
        callback_(callback),
        identity_(StoreIdentity::of(options.store_id, options.lane)) {}

  Result<ReplayReport> run();

 private:
  /// Where a segment is known to end, by the header of the next one.
  struct Bounds {
    bool newest = false;
    uint64_t next_first = 0;  ///< first frame of the next segment, 0 if not known
  };
  enum class Step : uint8_t { go_on, torn };

  [[nodiscard]] size_t first_segment() const;
  Status begin(const SegmentInfo& segment, bool first);
  Status walk(const SegmentInfo& segment, Bounds bounds);
  Status end(const SegmentInfo& segment, SegmentReader& reader, uint64_t offset, Bounds bounds);
  Result<Step> take_frame(const FrameHead& frame, SegmentScanner& scanner, uint64_t offset,
                          const std::string& path, bool newest);
  Status check_order(const FrameHead& frame, uint64_t offset, const std::string& path);
  Status check_continues(uint64_t chain, const std::string& where) const;
  Result<Step> deliver(const FrameHead& frame, SegmentScanner& scanner, uint64_t offset,
                       const std::string& path, bool newest);
  void report_gap(const FrameHead& next, uint64_t offset, const std::string& path);
  Result<uint64_t> remains(const SegmentInfo& segment, SegmentReader& reader,
                           uint64_t offset) const;
  Status finish();
  void lose(uint64_t frame, std::string what) {
    report_.damages.push_back(
        {std::max(frame, options_.after.frame + 1), {}, true, std::move(what)});
  }

  const ReplayOptions& options_;
  const ReplayCallback& callback_;
  const StoreIdentity identity_;
  std::vector<SegmentInfo> segments_;
  Head head_;
  uint64_t floor_ = 0;
  Mark at_;                   ///< the last frame passed
  bool chain_known_ = false;  ///< that at_.chain is what the next frame must repeat
  bool lost_place_ = false;   ///< any frame may come next
  ReplayReport report_;
};

Result<ReplayReport> Replay::run() {
  Result<LaneFiles> files = list_lane_files(options_.directory);
  if (!files.ok() && !absl::IsNotFound(files.status())) return files.status();
  if (files.ok()) {
    if (Status status = check_identity(*files, identity_); !status.ok()) return status;
    segments_ = std::move(files->segments);
  }
  head_ = read_head(options_.directory);
  floor_ = std::max({options_.durable_floor, head_.mark.frame, options_.after.frame});
  for (const SegmentInfo& segment : segments_) {
    if (segment.header) floor_ = std::max(floor_, segment.header->first_frame - 1);
  }

  at_ = options_.after;
  const size_t first = first_segment();
  if (segments_.empty() && at_.frame > 0) at_ = {};
  for (size_t i = first; i < segments_.size(); ++i) {
    Bounds bounds{i + 1 == segments_.size()};
    if (!bounds.newest && segments_[i + 1].header) {
      bounds.next_first = segments_[i + 1].header->first_frame;
    }
    if (Status status = begin(segments_[i], i == first); !status.ok()) return status;
    if (Status status = walk(segments_[i], bounds); !status.ok()) return status;
  }
  if (Status status = finish(); !status.ok()) return status;
  return std::move(report_);
}

size_t Replay::first_segment() const {
  for (size_t i = segments_.size(); i-- > 0;) {
    if (segments_[i].header && segments_[i].header->first_frame <= options_.after.frame + 1)
      return i;
  }
  return 0;
}

Status Replay::begin(const SegmentInfo& segment, bool first) {
  if (!segment.header) {
    lose(at_.frame + 1,
         absl::StrCat(segment.path, ": both copies of the header, at offset 0, are damaged",
                      k_restore));
    if (first) lost_place_ = true;
    chain_known_ = false;
    return {};
  }
  const Mark before{segment.header->first_frame - 1, segment.header->chain};
  if (first && before.frame <= options_.after.frame) {
    at_ = before;
    chain_known_ = true;
  } else if (before.frame < at_.frame && !lost_place_) {
    return absl::DataLossError(
        absl::StrCat(segment.path, " begins with frame ", before.frame + 1,
                     ", which an earlier segment holds too: ",
                     "the directory mixes files of two histories; restore a backup of all of it"));
  } else if (before.frame == at_.frame) {
    if (chain_known_ && before.chain != at_.chain) {
      lose(before.frame + 1,
           absl::StrCat(segment.path, " does not continue the segment before it at frame ",
                        before.frame + 1, k_restore));
    }
    at_.chain = before.chain;
    chain_known_ = true;
  }
  return {};
}

Status Replay::walk(const SegmentInfo& segment, Bounds bounds) {
  Result<SegmentReader> opened = SegmentReader::open(segment.path);
  if (!opened.ok()) return opened.status();
  SegmentScanner scanner(*std::move(opened), identity_, segment.number);
  uint64_t offset = k_block_bytes;
  // What lies behind the last frame of a closed segment is of no meaning: remains, or of an earlier
  // use.
  while (bounds.next_first == 0 || at_.frame + 1 != bounds.next_first) {
    const uint64_t number_min = lost_place_ ? 1 : at_.frame + 1;
    const auto found = scanner.find_frame(offset, number_min);
    if (!found.ok()) return found.status();
    if (!*found) return end(segment, scanner.reader(), offset, bounds);
    const FrameHead& frame = (*found)->head;
    const Result<Step> step =
        take_frame(frame, scanner, (*found)->offset, segment.path, bounds.newest);
    if (!step.ok()) return step.status();
    if (*step == Step::torn) return end(segment, scanner.reader(), (*found)->offset, bounds);
    offset = (*found)->offset + frame.total_bytes;
  }
  return {};
}

Status Replay::end(const SegmentInfo& segment, SegmentReader& reader, uint64_t offset,
                   Bounds bounds) {
  if (bounds.next_first > 0) return {};  // what is missing is reported with the next frame
  const uint64_t whole_bytes = segment.header ? segment.header->segment_bytes : 0;
  if (segment.file_bytes < whole_bytes) {
    lose(at_.frame + 1, absl::StrCat(segment.path, " was shortened from ", whole_bytes, " to ",
                                     segment.file_bytes, " bytes", k_restore));
  }
  if (!bounds.newest || report_.torn_bytes > 0) return {};
  const Result<uint64_t> torn = remains(segment, reader, offset);
  if (!torn.ok()) return torn.status();
  report_.torn_bytes = *torn;
  return {};
}

Result<uint64_t> Replay::remains(const SegmentInfo& segment, SegmentReader& reader,
                                 uint64_t offset) const {
  const bool was_blank =
      segment.header && segment.header->oldest_frame == segment.header->first_frame;
  uint64_t end = offset;
  for (uint64_t at = offset; at < reader.file_bytes(); at += k_block_bytes) {
    const Result<std::string_view> block = reader.view(at, k_block_bytes);
    if (!block.ok()) return block.status();
    // In a segment that was used before, only the begin of a frame tells remains from old content.
    if (was_blank ? !all_zero(*block) : probe_frame(*block, identity_, segment.number) > 0) {
      end = at + block->size();
    }
    if (!was_blank) break;
  }
  return end - offset;
}

Result<Replay::Step> Replay::take_frame(const FrameHead& frame, SegmentScanner& scanner,
                                        uint64_t offset, const std::string& path, bool newest) {
  if (lost_place_) {
    lost_place_ = false;
    at_ = {std::min(frame.number - 1, options_.after.frame), 0};
  }
  if (Status status = check_order(frame, offset, path); !status.ok()) return status;
  if (frame.number > options_.after.frame) {
    const Result<Step> step = deliver(frame, scanner, offset, path, newest);
    if (!step.ok() || *step == Step::torn) return step;
  }
  at_ = {frame.number, frame.checksum};
  chain_known_ = true;
  return Step::go_on;
}

Status Replay::check_order(const FrameHead& frame, uint64_t offset, const std::string& path) {
  const std::string where = absl::StrCat(path, " at offset ", offset);
  if (frame.number == options_.after.frame + 1) {
    if (Status status = check_continues(frame.chain, where); !status.ok()) return status;
  }
  if (frame.number > at_.frame + 1) {
    report_gap(frame, offset, path);
  } else if (chain_known_ && frame.chain != at_.chain && frame.number > options_.after.frame) {
    lose(frame.number, absl::StrCat(where, ": frame ", frame.number,
                                    " does not continue the frame before it", k_restore));
  }
  return {};
}

Status Replay::check_continues(uint64_t chain, const std::string& where) const {
  if (chain == options_.after.chain) return {};
  return absl::DataLossError(absl::StrCat(where, ": the log does not continue frame ",
                                          options_.after.frame,
                                          " as the store knows it: one of them was put back or "
                                          "replaced alone; restore log and store from ",
                                          "the same backup"));
}

Result<Replay::Step> Replay::deliver(const FrameHead& frame, SegmentScanner& scanner,
                                     uint64_t offset, const std::string& path, bool newest) {
  Result<std::string_view> bytes = scanner.reader().view(offset, frame.total_bytes);
  if (!bytes.ok()) return bytes.status();
  const auto damaged = [&](const RecordSlot& slot) { return !payload_intact(slot, *bytes); };
  std::vector<uint64_t> lost;
  for (const RecordSlot& slot : frame.records) {
    if (damaged(slot)) lost.push_back(slot.key_hash);
  }
  if (!lost.empty() && newest && frame.number > floor_) {
    const auto next = scanner.find_frame(offset + k_block_bytes, frame.number + 1);
    if (!next.ok()) return next.status();
    if (!*next) {
      report_.torn_bytes = frame.total_bytes;
      return Step::torn;
    }
    bytes = scanner.reader().view(offset, frame.total_bytes);
    if (!bytes.ok()) return bytes.status();
  }
  for (const RecordSlot& slot : frame.records) {
    if (!lost.empty() && damaged(slot)) continue;
    const std::string_view payload = bytes->substr(slot.offset, slot.length);
    Status status = callback_({frame.number, slot.key_hash, payload});
    if (!status.ok()) return status;
    ++report_.records;
    report_.bytes += payload.size();
  }
  ++report_.frames;
  if (!lost.empty()) {
    const size_t count = lost.size();
    report_.damages.push_back(
        {frame.number, std::move(lost), false,
         absl::StrCat(path, " at offset ", offset, ": ", count, " of ", frame.records.size(),
                      " records of frame ", frame.number, " fail their checksum", k_restore)});
  }
  return Step::go_on;
}

void Replay::report_gap(const FrameHead& next, uint64_t offset, const std::string& path) {
  const uint64_t first = std::max(at_.frame, options_.after.frame) + 1;
  if (first >= next.number) return;
  Damage damage;
  damage.frame = first;
  damage.extent_unknown = first + 1 != next.number || !next.previous_known;
  if (!damage.extent_unknown) {
    damage.key_hashes = next.previous_keys;
    std::ranges::sort(damage.key_hashes);
    const auto repeated = std::ranges::unique(damage.key_hashes);
    damage.key_hashes.erase(repeated.begin(), repeated.end());
  }
  damage.what =
      absl::StrCat("frames ", first, " to ", next.number - 1, " are missing or damaged before ",
                   path, " at offset ", offset, k_restore);
  report_.damages.push_back(std::move(damage));
}

Status Replay::finish() {
  if (lost_place_) at_ = {};
  if (at_.frame == options_.after.frame && chain_known_) {
    if (Status status = check_continues(at_.chain, options_.directory); !status.ok()) return status;
  }
  const uint64_t newest = segments_.empty() ? 0 : segments_.back().number;
  if (head_.segment > newest) {
    lose(at_.frame + 1, absl::StrCat("segment ", segment_path(options_.directory, head_.segment),
                                     " is missing", k_restore));
  }
  report_.last = at_;
  if (at_.frame < floor_) {
    lose(at_.frame + 1, absl::StrCat("the log in ", options_.directory, " ends with frame ",
                                     at_.frame, " but frame ", floor_, " was durable", k_restore));
    report_.last = {floor_, floor_ == options_.after.frame ? options_.after.chain : at_.chain};
  }
  return {};
}

}  // namespace

bool ReplayReport::extent_unknown() const {
  return std::ranges::any_of(damages, [](const Damage& d) { return d.extent_unknown; });
}

Result<ReplayReport> replay(const ReplayOptions& options, const ReplayCallback& callback) {
  return Replay(options, callback).run();
}

}  // namespace parley::log
