#include "storage/disk_floor.hpp"

#include <ctime>
#include <sys/statvfs.h>

namespace parley {
namespace {

constexpr int64_t k_look_every_ms = 100;

/// Of the clock that costs next to nothing: every append asks. It lags by some milliseconds.
int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * 1'000 + now.tv_nsec / 1'000'000;
}

}  // namespace

void DiskFloor::look_if_old() {
  int64_t looked = looked_.load(std::memory_order_relaxed);
  const int64_t now = now_ms();
  if (now - looked < k_look_every_ms) return;
  // One thread looks, the others go by what was seen last.
  if (looked_.compare_exchange_strong(looked, now)) look();
}

std::optional<uint64_t> DiskFloor::ask() const {
  if (ask_) return ask_();
  struct statvfs seen {};
  if (::statvfs(directory_.c_str(), &seen) != 0) return std::nullopt;
  return uint64_t{seen.f_bavail} * seen.f_frsize;
}

void DiskFloor::look() {
  const auto free = ask();
  // A file system that cannot be asked is not called full: the write itself will tell.
  if (!free) return;
  free_.store(*free, std::memory_order_relaxed);
  const uint64_t owed = owed_ ? owed_() : 0;
  const uint64_t left = *free > owed ? *free - owed : 0;
  if (left < floor_bytes_) {
    full_.store(true, std::memory_order_relaxed);
  } else if (left >= floor_bytes_ + floor_bytes_ / 10) {
    full_.store(false, std::memory_order_relaxed);
  }
}

}  // namespace parley
