#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace parley {

/// A small file, replaced whole and durably, or as it was before.
Status write_whole(const std::string& path, const std::string& text);
/// Nothing where there is no such file.
Result<std::optional<std::string>> read_whole(const std::string& path);

/// What a data directory says of itself in its file IDENTITY.
struct Identity {
  static constexpr uint32_t k_format = 1;
  uint32_t format = k_format;
  Id128 store_id;
  uint32_t shard_count = 256;
  std::string created;  ///< RFC 3339
  /// Set by the first start that had everything in place: from then on a missing log is a loss.
  bool begun = false;
};
std::string format_identity(const Identity& identity);
/// FAILED_PRECONDITION where a newer release wrote it, DATA_LOSS where it cannot be read.
Result<Identity> parse_identity(const std::string& text, const std::string& path);
Status write_identity(const std::string& data_dir, const Identity& identity);
Result<std::optional<Identity>> read_identity(const std::string& data_dir);

/// A data directory that this process alone uses, until the end of the scope.
///
/// Owned by a local journal or an offline tool. Lays out: LOCK, IDENTITY, log/, db/, backups/.
class DataDir {
 public:
  /// Created if missing. FAILED_PRECONDITION, naming its process, where another one uses it.
  static Result<DataDir> lock(const std::string& path);
  /// The same, but NOT_FOUND where there is no store; creates nothing.
  static Result<DataDir> lock_existing(const std::string& path);
  DataDir(DataDir&& other) noexcept;
  DataDir& operator=(DataDir&& other) noexcept;
  ~DataDir();

  /// Reads IDENTITY, or writes one for a new store. Refuses another count of shards than the stored
  /// one.
  Result<Identity> open_identity(uint32_t shard_count) const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string log() const { return path_ + "/log"; }
  [[nodiscard]] std::string lane() const { return log() + "/0"; }
  [[nodiscard]] std::string db() const { return path_ + "/db"; }

 private:
  DataDir(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string path_;
  int lock_ = -1;
};

Id128 random_id();  ///< a random UUID

}  // namespace parley
