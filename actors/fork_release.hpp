#pragma once

#include <functional>

#include "actors/call.hpp"

namespace parley {

class Registry;
struct Environment;

/// Tells parents that are at other nodes that a fork is gone.
///
/// Owned by the server; any thread.
class RemoteParents {
 public:
  virtual ~RemoteParents() = default;
  /// `done` is called once, on any thread: whether the parent knows now, or did not know the fork.
  virtual void let_go(const Address& parent, const Id128& child_history,
                      std::function<void(bool told)> done) = 0;
};

/// Tells a parent that a fork is gone, then the fork's remains that the parent knows (D8).
///
/// Owns itself: made when a conversation with pending releases becomes live or durable, gone when
/// the second answer came. Lost in a crash it is made again when the child is next loaded; the
/// server loads all such children at its start. Both steps may come twice.
class ForkRelease final : public Call {
 public:
  ForkRelease(Registry& registry, const Environment& environment, Address child, ParentLink link);
  void start();

  void answer(Outcome outcome, bool replayed) override;
  void fail(Status status) override;

 private:
  void on_told(bool told);

  Registry& registry_;
  const Environment& environment_;
  Address child_;
  ParentLink link_;
  bool parent_knows_ = false;
};

}  // namespace parley
