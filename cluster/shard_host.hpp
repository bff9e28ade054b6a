#pragma once

#include <memory>
#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "cluster/ownership.hpp"
#include "cluster/shard_gate.hpp"
#include "storage/shard_copy.hpp"

namespace parley {

/// What a ShardKeeper does to its node. All of it on the keeper's thread; all of it may block, but
/// `send`. Whatever fails is done again from the start, as after a crash: what it left half done
/// must be as if a crash had.
class ShardHost : public ShardGate {
 public:
  /// Durable when it returns OK.
  virtual Status record(Shard shard, const Holding& holding) = 0;
  /// What is recorded, for a keeper that cannot know.
  virtual Result<Holding> recorded(Shard shard) = 0;

  virtual Status erase(Shard shard) = 0;
  virtual Status take(Shard shard, const std::string& rows) = 0;
  /// Everything that was taken is durable when it returns OK.
  virtual Status flush() = 0;
  virtual std::unique_ptr<ShardCopy> copy(Shard shard) = 0;

  /// Conversations that are not in use need not be in memory; calls go on. What that writes is in
  /// what copies give out, as a rule.
  virtual void put_idle_away(Shard shard) = 0;
  /// Every change made before `held` is in what copies give out, when it returns OK.
  virtual Status settle() = 0;

  /// A connection stands to that node.
  [[nodiscard]] virtual bool reaches(const NodeName& node) const = 0;
  /// May get lost.
  virtual void send(const NodeName& to, std::string message) = 0;
};

}  // namespace parley
