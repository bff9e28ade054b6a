#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace parley {

/// What to put back, and where.
struct RestoreRequest {
  /// Directory that holds the backups, as CreateBackup and ListBackups name it.
  std::string backup_dir;
  /// Which backup; 0 means the newest.
  int64_t backup_id = 0;
  /// The data directory to make. It must not exist, or be empty: nothing is ever overwritten.
  std::string data_dir;
};

/// Makes a data directory out of a backup, while no server runs on it. `progress` is called on the
/// calling thread, with bytes copied and bytes in all. On failure what was begun is removed, so
/// that the same call can be repeated.
Status restore_backup(
    const RestoreRequest& request,
    const std::function<void(uint64_t done_bytes, uint64_t total_bytes)>& progress);

/// What a verification has read and found so far.
struct VerifyReport {
  /// Something wrong in storage.
  struct Problem {
    /// A conversation or a file.
    std::string where;
    /// What is wrong with it.
    std::string what;
  };

  uint64_t conversations = 0;
  uint64_t messages = 0;
  /// Bytes read.
  uint64_t bytes = 0;
  /// All that were found, in the order they were met.
  std::vector<Problem> problems;
  /// Everything has been read.
  bool done = false;
};

/// Reads and checks every stored byte of a data directory that no server has open; changes nothing.
/// Damage is a problem in the report, not an error: an error means that the reading could not go on
/// (no such directory, a server holds it). `progress` is called on the calling thread, now and then
/// and at the end. `elsewhere` tells the shards that other nodes of a cluster have; null: none.
Result<VerifyReport> verify_store(const std::string& data_dir,
                                  const std::function<void(const VerifyReport&)>& progress,
                                  const std::function<bool(Shard)>& elsewhere = {});

}  // namespace parley
