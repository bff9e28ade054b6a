#include "storage/write_gate.hpp"

#include <utility>

#include "base/check.hpp"

namespace parley {

void WriteGate::enter() {
  std::unique_lock lock(mutex_);
  if (shut_) {
    ++waiting_;
    changed_.wait(lock, [&] { return !shut_; });
    --waiting_;
    --owed_;
    if (owed_ == 0) changed_.notify_all();
  }
  ++inside_;
}

void WriteGate::leave() {
  {
    const std::lock_guard lock(mutex_);
    PARLEY_CHECK(inside_ > 0);
    --inside_;
  }
  changed_.notify_all();
}

void WriteGate::shut() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !shut_ && owed_ == 0; });
  shut_ = true;
  changed_.wait(lock, [&] { return inside_ == 0; });
}

void WriteGate::open() {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(shut_, false)) return;
    owed_ = waiting_;
  }
  changed_.notify_all();
}

bool WriteGate::awaited() const {
  const std::lock_guard lock(mutex_);
  return waiting_ > 0;
}

}  // namespace parley
