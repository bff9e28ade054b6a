#include "storage/telling.hpp"

#include <algorithm>

namespace parley {

void Bell::tell(CommitWaiter& waiter, WriteOutcome outcome) {
  Wakeup* wakeup = waiter.on_written(outcome);
  if (wakeup == nullptr) return;
  if (std::find(wakeups_.begin(), wakeups_.end(), wakeup) == wakeups_.end()) {
    wakeups_.push_back(wakeup);
  }
}

Bell::~Bell() {
  for (Wakeup* wakeup : wakeups_) wakeup->flush();
}

void settle(Heads& heads, const Pending& pending, WriteOutcome outcome, Bell& bell) {
  if (pending.told) return pending.told->set_value(outcome);
  std::vector<Heads::Refused> refused;
  CommitWaiter& waiter = *pending.waiter;
  // The head moves first: whoever is told may commit again at once.
  heads.settle(pending, outcome, refused);
  bell.tell(waiter, outcome);
  for (const auto& [next, why] : refused) bell.tell(*next, why);
}

}  // namespace parley
