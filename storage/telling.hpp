#pragma once

#include <vector>

#include "storage/heads.hpp"
#include "storage/journal.hpp"

namespace parley {

/// Tells waiters, and wakes whoever they name once: at its end, when a whole group was told.
///
/// On the stack of whoever tells.
class Bell {
 public:
  Bell() = default;
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  ~Bell();
  void tell(CommitWaiter& waiter, WriteOutcome outcome);

 private:
  std::vector<Wakeup*> wakeups_;
};

/// A commit that Heads let through is over: its conversation's next one goes on, and whoever waits
/// is told.
void settle(Heads& heads, const Pending& pending, WriteOutcome outcome, Bell& bell);

}  // namespace parley
