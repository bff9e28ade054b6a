#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "absl/container/flat_hash_set.h"

namespace parley {

/// Which conversations are damaged, by the hash of their key, and how often a read met damage.
///
/// Owned by a local journal; durable in the store's `meta`. Any thread.
/// Not its job: making it durable.
class Damage {
 public:
  void mark(uint64_t key_hash) {
    const std::lock_guard lock(mutex_);
    marked_.insert(key_hash);
    any_.store(true, std::memory_order_release);
  }
  void clear(uint64_t key_hash) {
    const std::lock_guard lock(mutex_);
    marked_.erase(key_hash);
    seen_.erase(key_hash);
  }
  [[nodiscard]] bool marked(uint64_t key_hash) const {
    if (!any_.load(std::memory_order_acquire)) return false;
    const std::lock_guard lock(mutex_);
    return marked_.contains(key_hash);
  }
  /// A read failed; the next one may go well if it was the disk's doing, so nothing is refused for
  /// it.
  void saw(uint64_t key_hash) {
    const std::lock_guard lock(mutex_);
    seen_.insert(key_hash);
    ++reads_;
  }
  /// A read met damage that is of no one conversation.
  void saw_elsewhere() {
    const std::lock_guard lock(mutex_);
    ++reads_;
  }
  /// Marked, or met by a read: it may be erased.
  [[nodiscard]] bool known(uint64_t key_hash) const {
    const std::lock_guard lock(mutex_);
    return marked_.contains(key_hash) || seen_.contains(key_hash);
  }
  [[nodiscard]] size_t conversations() const {
    const std::lock_guard lock(mutex_);
    size_t count = marked_.size();
    for (const uint64_t hash : seen_) count += marked_.contains(hash) ? 0 : 1;
    return count;
  }
  [[nodiscard]] uint64_t reads() const {
    const std::lock_guard lock(mutex_);
    return reads_;
  }

 private:
  mutable std::mutex mutex_;
  std::atomic<bool> any_{false};
  absl::flat_hash_set<uint64_t> marked_;
  absl::flat_hash_set<uint64_t> seen_;
  uint64_t reads_ = 0;
};

}  // namespace parley
