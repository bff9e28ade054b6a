#pragma once

#include <functional>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "cluster/ring.hpp"

namespace parley {

/// Lets calls to a shard's conversations through to this node, holds them, or sends them elsewhere.
/// One thread a shard.
class ShardGate {
 public:
  virtual ~ShardGate() = default;
  /// Calls wait from now on; `held` is called on any thread when none is under way.
  virtual void hold(Shard shard, std::function<void()> held) = 0;
  /// Calls go on, those that were held first.
  virtual void resume(Shard shard) = 0;
  /// Calls are carried out here from now on, under this epoch.
  virtual Status serve(Shard shard, Epoch epoch) = 0;
  /// Calls go to `to` from now on, which has the shard under this epoch; those that are held, too.
  /// Nobody: it is not known who has it.
  virtual Status stop_serving(Shard shard, const NodeName& to, Epoch epoch) = 0;
  /// After `stop_serving`: `quiet` is called on any thread when what was let through before has
  /// come to its end. Until then it may still be answered here, from memory.
  virtual void when_quiet(Shard shard, std::function<void()> quiet) = 0;
};

}  // namespace parley
