#pragma once

#include <cstdint>
#include <vector>

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
  [[nodiscard]] size_t size() const { return end_ - first_; }
  [[nodiscard]] const DedupEntry& at(size_t i) const { return slots_[slot_of(first_ + i)].entry; }
  [[nodiscard]] size_t memory_bytes() const;

  bool operator==(const DedupWindow& other) const;

 private:
  struct Slot {
    DedupEntry entry;
    uint32_t older = k_none;  ///< the next older entry of the same bucket
  };
  static constexpr uint32_t k_none = UINT32_MAX;
  /// Up to so many slots a scan beats an index, and most conversations stay below it.
  static constexpr size_t k_scanned_max = 16;

  [[nodiscard]] size_t slot_of(uint64_t number) const { return number & (slots_.size() - 1); }
  [[nodiscard]] uint32_t& bucket_of(const Id128& request);
  void drop_oldest();
  void grow();
  void link(size_t slot);

  /// A ring, a power of two or empty. Entries first_ .. end_ - 1 are there, by their number.
  std::vector<Slot> slots_;
  uint64_t first_ = 0;
  uint64_t end_ = 0;
  /// The slot of the newest entry of each bucket, which is a chain from new to old: what leaves the
  /// window is at its end. Empty while the slots are few.
  std::vector<uint32_t> newest_;
};

}  // namespace parley
