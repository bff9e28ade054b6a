#include "storage/log/segment.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace parley::log {
namespace {

constexpr uint64_t k_window_bytes = 256 << 10;
constexpr uint64_t k_zeros_bytes = 1 << 20;
constexpr uint64_t k_zeros_between_syncs = 8 << 20;

std::string file_path(const std::string& directory, std::string_view prefix, uint64_t number,
                      std::string_view suffix) {
  return absl::StrFormat("%s/%s%016x%s", directory, prefix, number, suffix);
}

std::optional<uint64_t> parse_name(std::string_view name, std::string_view prefix,
                                   std::string_view suffix) {
  uint64_t number = 0;
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return {};
  if (name.size() != prefix.size() + 16 + suffix.size()) return {};
  if (!absl::SimpleHexAtoi(std::string(name.substr(prefix.size(), 16)), &number)) return {};
  return number;
}

Result<SegmentInfo> inspect(const std::string& path, uint64_t number) {
  Result<SegmentReader> reader = SegmentReader::open(path);
  if (!reader.ok()) return reader.status();
  Result<std::string_view> block = reader->view(0, k_block_bytes);
  if (!block.ok()) return block.status();
  return SegmentInfo{number, path, reader->file_bytes(), decode_segment_header(*block),
                     block->size() == k_block_bytes && all_zero(*block)};
}

}  // namespace

std::string segment_path(const std::string& directory, uint64_t number) {
  return file_path(directory, "wal-", number, ".log");
}
std::string spare_path(const std::string& directory, uint64_t number) {
  return file_path(directory, "spare-", number, ".log");
}
std::string unfinished_path(const std::string& directory, uint64_t number) {
  return file_path(directory, "new-", number, ".tmp");
}

Result<LaneFiles> list_lane_files(const std::string& directory) {
  LaneFiles files;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string path = entry->path().string();
    const std::string name = entry->path().filename().string();
    std::vector<SegmentInfo>* kind = nullptr;
    std::optional<uint64_t> number = parse_name(name, "wal-", ".log");
    if (number) {
      kind = &files.segments;
    } else if ((number = parse_name(name, "spare-", ".log"))) {
      kind = &files.spares;
    } else if (parse_name(name, "new-", ".tmp")) {
      files.unfinished.push_back(path);
    }
    if (!kind) continue;
    Result<SegmentInfo> info = inspect(path, *number);
    if (!info.ok()) return info.status();
    kind->push_back(*std::move(info));
  }
  if (error) return disk_error(error.value(), "listing", directory);
  std::ranges::sort(files.segments, {}, &SegmentInfo::number);
  std::ranges::sort(files.spares, {}, &SegmentInfo::number);
  return files;
}

Status check_identity(const LaneFiles& files, const StoreIdentity& identity) {
  for (const SegmentInfo& segment : files.segments) {
    if (!segment.header) continue;
    const SegmentHeader& header = *segment.header;
    if (header.version != k_format_version) {
      return absl::FailedPreconditionError(
          absl::StrCat(segment.path, " has format ", header.version, ", this program knows ",
                       k_format_version, "; use the version that wrote it"));
    }
    if (header.store_id != identity.store_id || header.lane != identity.lane) {
      return absl::FailedPreconditionError(absl::StrCat(
          segment.path, " belongs to lane ", header.lane, " of store ", header.store_id.hex(),
          ", not to lane ", identity.lane, " of store ", identity.store_id.hex(),
          "; put the directories of one store together again"));
    }
    if (header.segment != segment.number) {
      return absl::DataLossError(absl::StrCat(segment.path, " says that it is segment ",
                                              absl::Hex(header.segment, absl::kZeroPad16),
                                              ": it was renamed or copied; restore a backup"));
    }
  }
  return {};
}

Result<SegmentReader> SegmentReader::open(const std::string& path) {
  SegmentReader reader;
  reader.path_ = path;
  reader.file_ = OpenFile(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader.file_.is_open()) return disk_error(errno, "open", path);
  struct stat about {};
  if (::fstat(reader.file_.get(), &about) != 0) return disk_error(errno, "fstat", path);
  reader.file_bytes_ = static_cast<uint64_t>(about.st_size);
  return reader;
}

Result<std::string_view> SegmentReader::view(uint64_t offset, uint64_t bytes) {
  const uint64_t left = offset < file_bytes_ ? file_bytes_ - offset : 0;
  bytes = std::min(bytes, left);
  if (offset < window_offset_ || offset + bytes > window_offset_ + window_.size()) {
    window_.resize(std::min(std::max(bytes, k_window_bytes), left));
    window_offset_ = offset;
    size_t done = 0;
    while (done < window_.size()) {
      const ssize_t count = ::pread(file_.get(), window_.data() + done, window_.size() - done,
                                    static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        const int error = count < 0 ? errno : EIO;
        window_.clear();
        return absl::DataLossError(absl::StrCat(path_, " cannot be read at offset ", offset + done,
                                                ": ", std::generic_category().message(error),
                                                "; check the disk, then restore a backup"));
      }
      done += static_cast<size_t>(count);
    }
  }
  return std::string_view(window_).substr(offset - window_offset_, bytes);
}

Result<std::optional<FrameHead>> SegmentScanner::frame_at(uint64_t offset) {
  Result<std::string_view> bytes = reader_.view(offset, k_block_bytes);
  if (!bytes.ok()) return bytes.status();
  const size_t head_bytes = probe_frame(*bytes, identity_, segment_);
  if (head_bytes == 0) return std::nullopt;
  bytes = reader_.view(offset, head_bytes);
  if (!bytes.ok()) return bytes.status();
  return decode_frame_head(*bytes, identity_);
}

Result<std::optional<SegmentScanner::Found>> SegmentScanner::find_frame(uint64_t offset,
                                                                        uint64_t number_min) {
  for (; offset + k_block_bytes <= reader_.file_bytes(); offset += k_block_bytes) {
    Result<std::optional<FrameHead>> head = frame_at(offset);
    if (!head.ok()) return head.status();
    if (*head && (*head)->number >= number_min) return Found{offset, **std::move(head)};
  }
  return std::nullopt;
}

Result<SegmentFile> SegmentFile::open(Disk& disk, const std::string& path, bool direct) {
  SegmentFile segment;
  segment.disk_ = &disk;
  segment.path_ = path;
  segment.direct_ = direct;
  if (direct) segment.file_ = OpenFile(disk.open(path, O_WRONLY | O_DIRECT | O_DSYNC));
  // Why: EINVAL is how a file system says that it has no O_DIRECT.
  if (!direct || (!segment.file_.is_open() && errno == EINVAL)) {
    segment.direct_ = false;
    segment.file_ = OpenFile(disk.open(path, O_WRONLY));
  }
  if (!segment.file_.is_open()) return disk_error(errno, "open", path);
  return segment;
}

Status SegmentFile::write_durably(std::string_view bytes, uint64_t offset) {
  Status status = write_all(*disk_, file_.get(), path_, bytes, offset, direct_ ? k_block_bytes : 1);
  // Why: some file systems refuse O_DIRECT only here. Nothing was written then.
  if (direct_ && absl::IsInvalidArgument(status)) {
    Result<SegmentFile> buffered = open(*disk_, path_, false);
    if (!buffered.ok()) return buffered.status();
    *this = *std::move(buffered);
    status = write_all(*disk_, file_.get(), path_, bytes, offset);
  }
  if (!status.ok() || direct_) return status;
  if (disk_->sync(file_.get()) != 0) return disk_error(errno, "fdatasync", path_);
  return {};
}

bool all_zero(std::string_view bytes) {
  // Each byte equals the one before it, and the first is zero.
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

Status write_zeros(Disk& disk, const std::string& path, uint64_t bytes) {
  const OpenFile file(disk.open(path, O_WRONLY));
  if (!file.is_open()) return disk_error(errno, "open", path);
  const std::string zeros(k_zeros_bytes, '\0');
  const auto sync = [&]() -> Status {
    return disk.sync(file.get()) == 0 ? Status() : disk_error(errno, "fdatasync", path);
  };
  uint64_t unsynced = 0;
  for (uint64_t offset = k_block_bytes; offset < bytes;) {
    const std::string_view part = std::string_view(zeros).substr(0, bytes - offset);
    if (Status status = write_all(disk, file.get(), path, part, offset); !status.ok())
      return status;
    offset += part.size();
    unsynced += part.size();
    if (unsynced < k_zeros_between_syncs && offset < bytes) continue;
    if (Status status = sync(); !status.ok()) return status;
    unsynced = 0;
  }
  const std::string_view first = std::string_view(zeros).substr(0, k_block_bytes);
  if (Status status = write_all(disk, file.get(), path, first, 0); !status.ok()) return status;
  return sync();
}

}  // namespace parley::log
