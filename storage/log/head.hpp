#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "storage/log/disk.hpp"
#include "storage/log/mark.hpp"

namespace parley::log {

/// A place that is known to have been durable: the log cannot be shorter. Never ahead of the disk,
/// often behind it.
struct Head {
  Mark mark;
  uint64_t segment = 0;  ///< the newest segment at that time
};

/// What the file HEAD of a lane's directory says; all zero where it is missing or damaged.
Head read_head(const std::string& directory);

/// Keeps the file HEAD, in two slots written in turn, so that a torn write leaves the other. Not
/// synced: after a killed process it is exact, after a power cut possibly older. Also the lock of
/// the directory.
///
/// Owned by a lane. Callers take turns.
class HeadFile {
 public:
  /// FAILED_PRECONDITION where another lane has the directory open.
  static Result<HeadFile> open(const std::string& directory, Disk& disk);
  Status write(const Head& head);

 private:
  HeadFile(Disk& disk, OpenFile file, std::string path, uint64_t turn)
      : disk_(&disk), file_(std::move(file)), path_(std::move(path)), turn_(turn) {}
  Disk* disk_;
  OpenFile file_;
  std::string path_;
  uint64_t turn_;
};

}  // namespace parley::log
