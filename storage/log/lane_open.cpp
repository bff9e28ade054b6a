/// How a lane begins: checks its options, finds the place where the log goes on.
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <sys/stat.h>
#include <utility>

#include "absl/strings/str_cat.h"

#include "storage/log/lane.hpp"

namespace parley::log {
namespace {

constexpr uint64_t k_segment_bytes_min = 128 << 10;
constexpr uint64_t k_segment_bytes_max = 4ULL << 30;
constexpr uint64_t k_record_bytes_max = 1ULL << 30;

Status check_options(const LaneOptions& options) {
  const uint64_t segment = options.segment_bytes;
  if (segment % k_block_bytes != 0 || segment < k_segment_bytes_min ||
      segment > k_segment_bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("segments of the log of ", segment, " bytes: choose a multiple of ",
                     k_block_bytes, " from ", k_segment_bytes_min, " to ", k_segment_bytes_max));
  }
  const uint64_t bound = std::min(segment / 2, k_record_bytes_max);
  if (options.record_bytes_max == 0 || options.record_bytes_max > bound) {
    return absl::InvalidArgumentError(absl::StrCat(
        "records of the log of up to ", options.record_bytes_max, " bytes: choose 1 to ", bound,
        ", or segments at least twice as large (now ", segment, ")"));
  }
  if (options.group_bytes_max < k_block_bytes || options.group_bytes_max > bound) {
    return absl::InvalidArgumentError(absl::StrCat(
        "groups of the log of up to ", options.group_bytes_max, " bytes: choose ", k_block_bytes,
        " to ", bound, ", or segments at least twice as large (now ", segment, ")"));
  }
  return {};
}

Status make_directory(const std::string& path, Disk& disk) {
  if (::mkdir(path.c_str(), 0700) != 0) {
    return errno == EEXIST ? Status() : disk_error(errno, "mkdir", path);
  }
  const std::string parent = std::filesystem::absolute(path).lexically_normal().parent_path();
  return disk.sync_directory(parent) == 0 ? Status() : disk_error(errno, "fsync", parent);
}

Status unread_frames(const SegmentInfo& segment, Mark last) {
  return absl::FailedPreconditionError(
      absl::StrCat(segment.path, " holds frames after ", last.frame,
                   ": replay the log and continue where that ended"));
}

/// `last_frame`: the last one that may be in the newest of these.
std::vector<ClosedSegment> closed_of(const std::vector<SegmentInfo>& segments,
                                     uint64_t last_frame) {
  std::vector<ClosedSegment> closed;
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    const uint64_t oldest = segment->header ? segment->header->oldest_frame : 0;
    closed.push_back({segment->path, segment->file_bytes, last_frame, oldest});
    if (segment->header) last_frame = segment->header->first_frame - 1;
  }
  std::ranges::reverse(closed);
  return closed;
}

}  // namespace

Result<std::unique_ptr<Lane>> Lane::open(LaneOptions options, Mark last, GroupSink& sink) {
  if (Status status = check_options(options); !status.ok()) return status;
  Disk& disk = options.disk ? *options.disk : Disk::real();
  if (Status status = make_directory(options.directory, disk); !status.ok()) return status;
  Result<HeadFile> head = HeadFile::open(options.directory, disk);
  if (!head.ok()) return head.status();
  std::unique_ptr<Lane> lane(new Lane(std::move(options), sink, *std::move(head)));
  if (Status status = lane->resume(last); !status.ok()) return status;
  lane->note_head();
  lane->thread_ = std::thread([raw = lane.get()] { raw->run(); });
  return lane;
}

Status Lane::resume(Mark last) {
  Result<LaneFiles> files = list_lane_files(options_.directory);
  if (!files.ok()) return files.status();
  if (Status status = check_identity(*files, identity_); !status.ok()) return status;
  durable_ = last;
  writer_.start_after(last,
                      last.frame == 0 ? std::optional(std::vector<uint64_t>()) : std::nullopt);

  bool resumed = false;
  std::vector<SegmentInfo>& segments = files->segments;
  uint64_t last_closed = last.frame;
  if (!segments.empty()) {
    const SegmentInfo& newest = segments.back();
    current_number_ = newest.number;
    Result<bool> found = resume_in(newest, last);
    if (!found.ok()) return found.status();
    resumed = *found;
    if (resumed) {
      last_closed = newest.header->first_frame - 1;
      segments.pop_back();
    }
  }

  for (const std::string& path : files->unfinished) {
    if (disk_.remove(path) != 0) return disk_error(errno, "unlink", path);
  }
  std::vector<Spare> spares;
  uint64_t next_spare = 1;
  for (const SegmentInfo& spare : files->spares) {
    next_spare = spare.number + 1;
    if (spare.file_bytes == options_.segment_bytes) {
      const uint64_t oldest = spare.header ? spare.header->oldest_frame : 0;
      spares.push_back({spare.path, spare.blank ? k_no_frame : oldest});
    } else if (disk_.remove(spare.path) != 0) {
      return disk_error(errno, "unlink", spare.path);
    }
  }
  pool_ = std::make_unique<SegmentPool>(
      SegmentPool::Options{options_.directory, options_.segment_bytes}, disk_,
      closed_of(segments, last_closed), std::move(spares), next_spare);
  return resumed ? Status() : start_segment();
}

Result<bool> Lane::resume_in(const SegmentInfo& newest, Mark last) {
  if (!newest.header || newest.file_bytes != newest.header->segment_bytes) return false;
  if (newest.header->first_frame > last.frame + 1) return unread_frames(newest, last);
  Result<SegmentReader> reader = SegmentReader::open(newest.path);
  if (!reader.ok()) return reader.status();
  SegmentScanner scanner(*std::move(reader), identity_, newest.number);
  Mark at{newest.header->first_frame - 1, newest.header->chain};
  std::optional<std::vector<uint64_t>> keys;
  if (at.frame == 0) keys.emplace();
  uint64_t offset = k_block_bytes;
  while (at.frame < last.frame) {
    const Result<std::optional<FrameHead>> frame = scanner.frame_at(offset);
    if (!frame.ok()) return frame.status();
    if (!*frame || (*frame)->number != at.frame + 1 || (*frame)->chain != at.chain) return false;
    at = {(*frame)->number, (*frame)->checksum};
    offset += (*frame)->total_bytes;
    keys.emplace();
    for (const RecordSlot& slot : (*frame)->records) keys->push_back(slot.key_hash);
    if (keys->size() > k_previous_keys_max) keys.reset();
  }
  if (at != last) return false;
  const Result<std::optional<FrameHead>> next = scanner.frame_at(offset);
  if (!next.ok()) return next.status();
  if (*next && (*next)->number == last.frame + 1) {
    const Result<std::string_view> bytes = scanner.reader().view(offset, (*next)->total_bytes);
    if (!bytes.ok()) return bytes.status();
    const bool whole = std::ranges::all_of(
        (*next)->records, [&](const RecordSlot& slot) { return payload_intact(slot, *bytes); });
    if (whole) return unread_frames(newest, last);
  }
  if (Status status = continue_at(newest, offset, last, std::move(keys)); !status.ok())
    return status;
  return true;
}

Status Lane::continue_at(const SegmentInfo& newest, uint64_t offset, Mark last,
                         std::optional<std::vector<uint64_t>> keys) {
  Result<SegmentFile> file = SegmentFile::open(disk_, newest.path, options_.direct);
  if (!file.ok()) return file.status();
  current_ = *std::move(file);
  current_oldest_ = newest.header->oldest_frame;
  current_bytes_ = newest.file_bytes;
  offset_ = offset;
  writer_.start_after(last, std::move(keys));
  stats_.direct = current_->direct();
  if (offset + k_block_bytes > current_bytes_) return {};
  // Why: the header of a torn frame must not become valid again through what is written behind it.
  char* const block = header_block_.reserve(k_block_bytes);
  std::fill_n(block, k_block_bytes, '\0');
  return current_->write_durably({block, k_block_bytes}, offset);
}

}  // namespace parley::log
