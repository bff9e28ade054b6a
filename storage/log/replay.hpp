#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/log/mark.hpp"

/// Reading a lane's log back at a start. The lane must not be open.
namespace parley::log {

struct ReplayOptions {
  std::string directory;
  Id128 store_id;
  uint32_t lane = 0;
  /// The frames after this one are wanted; those up to it are in the store already. Mark{} for all.
  Mark after;
  /// A frame known to have existed: a log that ends before it was shortened. The file HEAD and the
  /// headers of the segments are taken into account without asking.
  uint64_t durable_floor = 0;
};

struct ReplayedRecord {
  uint64_t frame = 0;
  uint64_t key_hash = 0;
  std::string_view payload;  ///< valid during the callback
};

/// Something that was in the log and cannot be read.
struct Damage {
  uint64_t frame = 0;                ///< the first one concerned
  std::vector<uint64_t> key_hashes;  ///< whose records are lost; complete unless `extent_unknown`
  bool extent_unknown = false;       ///< any key may have lost records, from `frame` on
  std::string what;                  ///< file, offset and what to do, for an operator
};

struct ReplayReport {
  /// Where the lane continues: give it to Lane::open. Where the log was found shortened it lies
  /// behind what is missing, so that no number of a frame is ever given twice.
  Mark last;
  uint64_t frames = 0;
  uint64_t records = 0;  ///< delivered
  uint64_t bytes = 0;    ///< of their payloads
  /// What a group commit that was under way at a crash left behind, as far as that can be
  /// recognised. It was never acknowledged.
  uint64_t torn_bytes = 0;
  std::vector<Damage> damages;

  [[nodiscard]] bool extent_unknown() const;
};

/// An error ends the replay and becomes its result.
using ReplayCallback = std::function<Status(const ReplayedRecord&)>;

/// Delivers every intact record after `options.after` in order, also those behind a damage. The
/// last frame is cut, whole, if it is not intact, nothing valid follows and it lies above what is
/// known to have been durable: that is a torn group commit. All else that is missing or fails its
/// checksum is a damage; the caller must refuse what it touches, and everything where
/// `extent_unknown`.
///
/// Errors, each with the file and what to do: DATA_LOSS where the log does not continue
/// `options.after` (a backup of the log or of the store alone was put back) or cannot be read,
/// FAILED_PRECONDITION where it belongs to another store or lane, or was written by a newer
/// version.
Result<ReplayReport> replay(const ReplayOptions& options, const ReplayCallback& callback);

}  // namespace parley::log
