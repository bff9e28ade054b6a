#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace parley {

/// Keeps writers of the store out for as long as somebody needs its memtables at rest.
///
/// Owned by the store. Any thread; who opens it need not be who shut it.
/// Invariants: while it is shut nobody is inside; who waited while it was shut gets in before it is
/// shut again.
class WriteGate {
 public:
  /// Waits while it is shut.
  void enter();
  void leave();
  /// Waits until it is open, then until the last writer left.
  void shut();
  /// Nothing where it is open.
  void open();
  /// Somebody waits to get in. For tests.
  [[nodiscard]] bool awaited() const;

 private:
  mutable std::mutex mutex_;  ///< guards all below
  std::condition_variable changed_;
  uint32_t inside_ = 0;
  uint32_t waiting_ = 0;
  uint32_t owed_ = 0;  ///< of those who waited when it was opened last, who are not in yet
  bool shut_ = false;
};

}  // namespace parley
