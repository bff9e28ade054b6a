#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace parley {

/// Whether there is too little space left on a directory's file system to take more data.
///
/// Owned by a local journal. Any thread may ask; the file system is asked at most ten times a
/// second. What was taken but is not in its files yet counts as used.
/// Invariants: full below the floor, not full again before there is a tenth more than that.
class DiskFloor {
 public:
  /// `free_bytes`, for tests: asked instead of the file system.
  DiskFloor(std::string directory, uint64_t floor_bytes, std::function<uint64_t()> free_bytes = {})
      : directory_(std::move(directory)), floor_bytes_(floor_bytes), ask_(std::move(free_bytes)) {
    look();
  }
  /// Who tells how many bytes were taken that are not in their files yet. To be called once, before
  /// others ask.
  void owe(std::function<uint64_t()> owed) { owed_ = std::move(owed); }

  [[nodiscard]] bool full() {
    look_if_old();
    return full_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] uint64_t free_bytes() {
    look_if_old();
    return free_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] uint64_t floor_bytes() const { return floor_bytes_; }

  /// Asks the file system now.
  void look();

 private:
  void look_if_old();
  [[nodiscard]] std::optional<uint64_t> ask() const;

  const std::string directory_;
  const uint64_t floor_bytes_;
  const std::function<uint64_t()> ask_;
  std::function<uint64_t()> owed_;
  std::atomic<int64_t> looked_{0};  ///< milliseconds of the steady clock
  std::atomic<uint64_t> free_{0};
  std::atomic<bool> full_{false};
};

}  // namespace parley
