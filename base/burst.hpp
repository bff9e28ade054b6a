#pragma once

#include <array>
#include <cstddef>

namespace parley {

/// Something with a thread of its own that sleeps until there is work.
class Sleeper {
 public:
  virtual ~Sleeper() = default;
  /// There may be work. Any thread.
  virtual void wake() = 0;
};

/// A run of work on one thread, at whose end those are woken whom it has given work to.
///
/// Why: a thread that is woken for the first piece takes it alone, and a group commit of one costs
/// as much as one of fifty. On the stack; one at a time on a thread. Keep it short: what is put off
/// waits for its end.
class Burst {
 public:
  Burst();
  ~Burst();
  Burst(const Burst&) = delete;
  Burst& operator=(const Burst&) = delete;

  /// Wakes `sleeper`, which outlives the burst: at the end of the one that runs on this thread, at
  /// once where none does.
  static void wake_at_end(Sleeper& sleeper);

 private:
  std::array<Sleeper*, 8> sleepers_{};
  size_t count_ = 0;
};

}  // namespace parley
