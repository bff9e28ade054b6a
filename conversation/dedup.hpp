#pragma once

#include <cstdint>
#include <optional>
#include <utility>
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

/// The requests that a conversation remembers, oldest first, bounded by number. Part of State,
/// journalled with the event it belongs to (invariant I2). Not by age: a wall clock that jumps must
/// make nobody forget.
///
/// Made for cold memory: thousands of conversations take turns, so what counts is how many cache
/// lines a change touches. One for the new entry, which lies where the oldest was, and two of the
/// index, however full it is.
class DedupWindow {
 public:
  /// The newest entry of this request, nothing if it is not remembered.
  [[nodiscard]] std::optional<DedupEntry> find(const Id128& request) const;

  /// Adds an entry and lets go of the oldest beyond `count_max`.
  void remember(const DedupEntry& entry, size_t count_max);

  /// Lets go of the oldest beyond `count_max`, but never of the newest.
  void trim(size_t count_max);

  void clear();
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] size_t size() const { return end_ - first_; }
  [[nodiscard]] DedupEntry at(size_t i) const { return entry_of(first_ + i); }
  [[nodiscard]] size_t memory_bytes() const;

  bool operator==(const DedupWindow& other) const;

 private:
  /// An entry without its fork, which few have. A cache line.
  struct Slot {
    Id128 request;
    uint64_t digest = 0;
    Version version;
    Sequence first;
    Sequence last;
    WallTime time;
    /// How many entries before this one the next older of the same bucket is, 0 if none is. It may
    /// have left the window since.
    uint32_t back = 0;
    bool created = false;
    bool forked = false;  ///< forks_ has the rest
  };
  static_assert(sizeof(Slot) == 64);
  /// Up to so many slots a scan beats an index, and most conversations stay below it.
  static constexpr size_t k_scanned_max = 16;

  [[nodiscard]] size_t slot_of(uint64_t number) const { return number & (slots_.size() - 1); }
  [[nodiscard]] std::optional<uint64_t> number_of(const Id128& request) const;
  [[nodiscard]] DedupEntry entry_of(uint64_t number) const;
  void drop_oldest();
  void grow();
  void link(uint64_t number);

  /// A ring, a power of two or empty. Entries first_ .. end_ - 1 are there, by their number.
  std::vector<Slot> slots_;
  uint64_t first_ = 0;
  uint64_t end_ = 0;
  /// The low half of the number of each bucket's newest entry, from which `back` leads to the older
  /// ones. Never cleaned: a number that has left the window ends its chain. Empty while the slots
  /// are few.
  std::vector<uint32_t> newest_;
  std::vector<std::pair<uint64_t, Id128>> forks_;  ///< by number, ascending
};

}  // namespace parley
