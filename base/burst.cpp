#include "base/burst.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace parley {
namespace {

thread_local Burst* running = nullptr;

}  // namespace

Burst::Burst() {
  PARLEY_CHECK(running == nullptr);
  running = this;
}

Burst::~Burst() {
  running = nullptr;
  for (size_t i = 0; i < count_; ++i) sleepers_[i]->wake();
}

void Burst::wake_at_end(Sleeper& sleeper) {
  if (running == nullptr) return sleeper.wake();
  const auto end = running->sleepers_.begin() + running->count_;
  if (std::find(running->sleepers_.begin(), end, &sleeper) != end) return;
  if (running->count_ == running->sleepers_.size()) return sleeper.wake();
  running->sleepers_[running->count_++] = &sleeper;
}

}  // namespace parley
