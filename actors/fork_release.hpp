#pragma once

#include "actors/call.hpp"

namespace parley {

class Registry;

/// Tells a parent that a fork is gone, then the fork's remains that the parent knows (D8).
///
/// Owns itself: made when a conversation with pending releases becomes live or durable, gone when
/// the second answer came. Lost in a crash it is made again when the child is next loaded; the
/// server loads all such children at its start. Both steps may come twice.
class ForkRelease final : public Call {
 public:
  ForkRelease(Registry& registry, uint32_t shard_count, Address child, ParentLink link);

  void answer(Outcome outcome, bool replayed) override;
  void fail(Status status) override;

 private:
  Registry& registry_;
  Address child_;
  ParentLink link_;
  bool parent_knows_ = false;
};

}  // namespace parley
