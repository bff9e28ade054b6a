#pragma once

#include <cstdint>
#include <vector>

#include "conversation/engine.hpp"
#include "storage/ownership_table.hpp"
#include "tests/sim/shared/settings.hpp"

namespace parley::sim::shared {

/// One committed write.
struct Entry {
  uint64_t write = 0;
  Epoch epoch;
  /// Who owned the shard when it was taken, and under which epoch.
  Epoch epoch_then;
  Id128 owner_then;
};

/// The tables of a shared journal, in memory: members, shards, and one conversation in each shard.
/// Each function is one statement, carried out at one moment. It loses nothing.
class Database {
 public:
  explicit Database(const Mutations& mutations);

  bool join(const Member& self);
  bool renew(const Member& self);
  [[nodiscard]] Membership read() const { return {members_, shards_}; }
  void bury(const std::vector<Member>& silent);
  void take(const Member& self, const std::vector<OwnedShard>& shards);
  void give(const Member& self, Shard shard, Epoch epoch, const Member& to);
  void leave(const Member& self);

  WriteOutcome commit(Shard shard, Epoch epoch, uint64_t expected, uint64_t write);
  /// After a commit of unknown outcome.
  struct Raised {
    bool raised = false;  ///< by this statement
    Epoch now;
  };
  Raised raise(Shard shard, Epoch epoch);
  [[nodiscard]] const std::vector<Entry>& log(Shard shard) const { return logs_[shard.value]; }
  [[nodiscard]] const OwnedShard& shard(Shard shard) const { return shards_[shard.value]; }
  [[nodiscard]] const std::vector<Member>& members() const { return members_; }

 private:
  Member* find(const std::string& node, const Id128& incarnation);
  void own(OwnedShard& row, const Member& by);

  const Mutations& mutations_;
  std::vector<Member> members_;  ///< by their names
  std::vector<OwnedShard> shards_;
  std::vector<std::vector<Entry>> logs_;
};

}  // namespace parley::sim::shared
