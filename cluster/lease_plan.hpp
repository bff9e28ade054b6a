#pragma once

#include <map>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "cluster/ring.hpp"
#include "storage/ownership_table.hpp"

/// What a node of a cluster with a shared journal makes of what the table of ownership says. Pure.
namespace parley {

struct LeaseTimes {
  int64_t lease_micros = 3'000'000;
  /// A lease is renewed so often: several times before it ends.
  int64_t renew_micros = 500'000;
  /// It ends so much earlier here: clocks do not run alike.
  int64_t margin_micros = 300'000;
};

/// Notices members that stand still, by this node's own clock.
class SilenceWatch {
 public:
  explicit SilenceWatch(LeaseTimes times) : times_(times) {}
  /// `now`: not earlier than when the members were read. Answers those that have not moved for the
  /// time of a lease: theirs is over. Where nobody looked for most of a lease, nobody is: whoever
  /// kept this node from looking kept the others from moving.
  std::vector<Member> silent(const std::vector<Member>& members, SteadyTime now);

 private:
  struct Seen {
    uint64_t renewals = 0;
    SteadyTime since;
  };
  const LeaseTimes times_;
  std::map<std::pair<std::string, Id128>, Seen> seen_;
  SteadyTime looked_;
};

/// The member that a shard is owned by; null where nobody is.
const Member* owner_of(const OwnedShard& shard, const std::vector<Member>& members);

struct LeasePlan {
  std::vector<OwnedShard> take;                ///< nobody's, which are to be this node's
  std::vector<std::pair<Shard, Member>> give;  ///< this node's, which are to be another's
};
/// As `place` would have it, with the members that are not leaving: every node works out the same.
LeasePlan plan_leases(const Membership& membership, const Member& self);

}  // namespace parley
