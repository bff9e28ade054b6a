#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace parley {

/// A node of a cluster whose nodes share a journal, one start of it.
struct Member {
  std::string node;
  Id128 incarnation;    ///< of this start
  std::string address;  ///< HOST:PORT, for the other nodes
  bool leaving = false;
  uint64_t renewals = 0;  ///< rises as long as it lives
  bool operator==(const Member&) const = default;
};

/// Who may write a shard, and under which epoch.
struct OwnedShard {
  Shard shard;
  Epoch epoch;
  std::string node;   ///< empty: nobody
  Id128 incarnation;  ///< of that node
  bool operator==(const OwnedShard&) const = default;
};

struct Membership {
  std::vector<Member> members;
  std::vector<OwnedShard> shards;  ///< by their number
};

/// Where nodes that share a journal agree on who lives and who owns what: beside the journal, so
/// that what it says of an epoch is what the journal goes by. Owned by whoever keeps a node's
/// lease; one thread, which waits for the answers.
///
/// Nobody's clock decides. A member that is silent is buried by another one that has seen its count
/// of renewals stand still for the time of a lease, by a clock of its own; a buried member can
/// renew nothing, and only then can what it owned be taken.
///
/// Errors of all calls: UNAVAILABLE, nothing was done; UNKNOWN, it may have been; else as the
/// journal's connection says.
class OwnershipTable {
 public:
  virtual ~OwnershipTable() = default;

  /// False while another start of that node is a member.
  virtual Result<bool> join(const Member& self) = 0;
  /// Counts one renewal, and says whether it is leaving. False where it was buried.
  virtual Result<bool> renew(const Member& self) = 0;
  virtual Result<Membership> read() = 0;
  /// Members as they were seen last, which have not moved since: those that still have not are no
  /// members any more.
  virtual Status bury(const std::vector<Member>& silent) = 0;
  /// Shards as they were read: those that stand so still, and that no member owns, become `self`'s
  /// under the next epoch.
  virtual Status take(const Member& self, const std::vector<OwnedShard>& shards) = 0;
  /// What `self` owns under this epoch becomes the member's, under the next one; nothing happens
  /// where it is not `self`'s any more, or `to` is no member.
  virtual Status give(const Member& self, Shard shard, Epoch epoch, const Member& to) = 0;
  /// It owns nothing, and is no member any more.
  virtual Status leave(const Member& self) = 0;
};

}  // namespace parley
