#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "base/ids.hpp"
#include "base/time.hpp"

namespace parley {

/// What a mutating call is answered with, and answered with again when it is repeated.
struct Receipt {
  Version version;  ///< after the change; after a deletion the last version that was
  Sequence first;   ///< of the messages appended, 0 if none
  Sequence last;
  WallTime time;
  bool created = false;
  Id128 fork;  ///< the child's history, where the call was a fork
  bool operator==(const Receipt&) const = default;
};

/// A request that was carried out: its id, a digest of its body, and its answer.
struct DedupEntry {
  Id128 request;
  uint64_t digest = 0;
  Receipt receipt;
  bool operator==(const DedupEntry&) const = default;
};

/// The requests that a conversation remembers, oldest first, bounded by number and age. Part of
/// State, journalled with the event it belongs to (invariant I2).
class DedupWindow {
 public:
  /// The entry of this request, nullptr if it is not remembered.
  [[nodiscard]] const DedupEntry* find(const Id128& request) const;

  /// Adds an entry and lets go of those beyond `count_max` or made before `oldest`.
  void remember(const DedupEntry& entry, size_t count_max, WallTime oldest);

  /// Lets go of the oldest beyond `count_max`, but never of the newest.
  void trim(size_t count_max);

  void clear();
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] size_t size() const { return entries_.size() - first_; }
  [[nodiscard]] const DedupEntry& at(size_t i) const { return entries_[first_ + i]; }
  [[nodiscard]] size_t memory_bytes() const;

  bool operator==(const DedupWindow& other) const;

 private:
  /// Below this many entries a scan beats an index, and most conversations stay below it.
  static constexpr size_t k_index_from = 24;

  void drop_oldest();
  void compact();
  void build_index();

  std::vector<DedupEntry> entries_;  ///< those before first_ are gone
  size_t first_ = 0;
  absl::flat_hash_map<Id128, size_t> index_;  ///< request -> place in entries_; empty while small
};

}  // namespace parley
