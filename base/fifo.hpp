#pragma once

#include <cstddef>
#include <utility>

#include "absl/container/inlined_vector.h"

namespace parley {

/// First in, first out, for queues that are short and often empty: then one in, one out stays in
/// the same place in memory, within its owner, where std::deque walks on through ever new blocks.
template <class T>
class Fifo {
 public:
  [[nodiscard]] bool empty() const { return first_ == items_.size(); }
  [[nodiscard]] size_t size() const { return items_.size() - first_; }
  T& front() { return items_[first_]; }
  [[nodiscard]] const T& front() const { return items_[first_]; }
  T& back() { return items_.back(); }
  auto begin() { return items_.begin() + static_cast<ptrdiff_t>(first_); }
  auto end() { return items_.end(); }

  void push_back(T item) { items_.push_back(std::move(item)); }

  /// Takes the first out. Each is moved once more at most, however long the queue is.
  T pop_front() {
    T item = std::move(items_[first_++]);
    if (empty()) {
      clear();
    } else if (first_ >= k_moved_from && first_ * 2 >= items_.size()) {
      items_.erase(items_.begin(), begin());
      first_ = 0;
    }
    return item;
  }

  void clear() {
    items_.clear();
    // A crowd's room is given back.
    if (items_.capacity() > k_kept) items_.shrink_to_fit();
    first_ = 0;
  }

 private:
  static constexpr size_t k_moved_from = 32;
  static constexpr size_t k_kept = 64;

  absl::InlinedVector<T, 1> items_;  ///< those before first_ were moved out
  size_t first_ = 0;
};

}  // namespace parley
