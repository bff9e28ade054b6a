#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace parley {

/// Keeps writers of the store out for as long as somebody needs its memtables at rest.
///
/// Owned by the store. Any thread; who opens it need not be who shut it.
/// Invariants: while it is shut nobody is inside.
class WriteGate {
 public:
  /// Waits while it is shut.
  void enter();
  void leave();
  /// Waits until it is open, then until the last writer left.
  void shut();
  /// Nothing where it is open.
  void open();

 private:
  std::mutex mutex_;  ///< guards all below
  std::condition_variable changed_;
  uint32_t inside_ = 0;
  bool shut_ = false;
};

}  // namespace parley
