#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "storage/log/disk.hpp"
#include "storage/log/frame.hpp"

namespace parley::log {

/// Names in a lane's directory. A number of a segment is used once; one of a spare says nothing.
std::string segment_path(const std::string& directory, uint64_t number);
std::string spare_path(const std::string& directory, uint64_t number);
std::string unfinished_path(const std::string& directory, uint64_t number);

/// A file of a segment or a spare as found in the directory.
struct SegmentInfo {
  uint64_t number = 0;  ///< by its name
  std::string path;
  uint64_t file_bytes = 0;
  std::optional<SegmentHeader> header;  ///< nothing if damaged, or blank
  bool blank = false;  ///< the first block is all zeros; in a spare that is the last to become so
};

struct LaneFiles {
  std::vector<SegmentInfo> segments;  ///< by number
  std::vector<SegmentInfo> spares;
  std::vector<std::string> unfinished;  ///< left by a process that ended while it made a spare
};

/// Lists a lane's directory and reads the headers. NOT_FOUND if there is no directory.
Result<LaneFiles> list_lane_files(const std::string& directory);
/// OK if all readable headers are of this store, lane and a known version, and named as they say.
Status check_identity(const LaneFiles& files, const StoreIdentity& identity);

/// Reads a segment through a window of memory. A shorter view means the file's end.
class SegmentReader {
 public:
  static Result<SegmentReader> open(const std::string& path);
  /// `bytes` from `offset`, fewer at the end of the file; valid until the next call.
  Result<std::string_view> view(uint64_t offset, uint64_t bytes);
  [[nodiscard]] uint64_t file_bytes() const { return file_bytes_; }

 private:
  OpenFile file_;
  std::string path_;
  uint64_t file_bytes_ = 0;
  std::string window_;
  uint64_t window_offset_ = 0;
};

/// Reads the frame heads of one segment.
class SegmentScanner {
 public:
  SegmentScanner(SegmentReader reader, StoreIdentity identity, uint64_t segment)
      : reader_(std::move(reader)), identity_(identity), segment_(segment) {}
  /// The frame that begins at `offset`, if a valid head is there.
  Result<std::optional<FrameHead>> frame_at(uint64_t offset);

  struct Found {
    uint64_t offset = 0;
    FrameHead head;
  };
  /// The first valid one from `offset` on with at least this number.
  Result<std::optional<Found>> find_frame(uint64_t offset, uint64_t number_min);
  [[nodiscard]] SegmentReader& reader() { return reader_; }

 private:
  SegmentReader reader_;
  StoreIdentity identity_;
  uint64_t segment_;
};

/// A segment that is being written. Owned by the lane; its commit thread.
class SegmentFile {
 public:
  SegmentFile() = default;
  /// With O_DIRECT | O_DSYNC where wanted and possible, otherwise with a sync after each write.
  static Result<SegmentFile> open(Disk& disk, const std::string& path, bool direct);
  /// Durable when it returns OK. `bytes` are whole blocks in aligned memory.
  Status write_durably(std::string_view bytes, uint64_t offset);
  void renamed(std::string path) { path_ = std::move(path); }
  void close() { file_.reset(); }
  [[nodiscard]] bool direct() const { return direct_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Disk* disk_ = nullptr;
  OpenFile file_;
  std::string path_;
  bool direct_ = false;
};

bool all_zero(std::string_view bytes);

/// Writes zeros over [0, bytes), the first block last, so that a half wiped file still says what it
/// may hold.
Status write_zeros(Disk& disk, const std::string& path, uint64_t bytes);

}  // namespace parley::log
