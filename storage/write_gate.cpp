#include "storage/write_gate.hpp"

#include "base/check.hpp"

namespace parley {

void WriteGate::enter() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !shut_; });
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
  changed_.wait(lock, [&] { return !shut_; });
  shut_ = true;
  changed_.wait(lock, [&] { return inside_ == 0; });
}

void WriteGate::open() {
  {
    const std::lock_guard lock(mutex_);
    shut_ = false;
  }
  changed_.notify_all();
}

}  // namespace parley
