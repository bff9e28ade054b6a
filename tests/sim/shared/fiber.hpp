#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace parley::sim::shared {

/// A function with a stack of its own: it stops in the middle of a call and goes on later, so that
/// code that waits for answers can be run by a simulation, without a thread.
///
/// Owned by a process of the simulation; one thread. Ended before it is destroyed: what is on its
/// stack is destroyed by going on to the end.
class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Goes on until it stops again, or ends. Not from within.
  void resume();
  /// From within: back to whoever resumed it.
  void stop_here();
  /// What runs now runs in it.
  [[nodiscard]] bool inside() const { return inside_; }
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  struct Contexts;

  static void begin();
  void run();

  const std::function<void()> body_;
  std::unique_ptr<Contexts> contexts_;
  bool inside_ = false;
  bool ended_ = false;
};

}  // namespace parley::sim::shared
