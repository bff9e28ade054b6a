#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "cluster/lease_plan.hpp"
#include "cluster/shard_gate.hpp"
#include "cluster/shards_view.hpp"

namespace parley {

/// What a node knows of the others by the table of ownership. The machine's thread.
class Neighbourhood {
 public:
  virtual ~Neighbourhood() = default;
  virtual void members(const std::vector<Member>& members) = 0;
  /// Another one's, or nobody's.
  virtual void owned_elsewhere(Shard shard, const NodeName& owner, Epoch epoch) = 0;
  /// Tells that node that something is its own now. May get lost.
  virtual void tell_to_look(const NodeName& node) = 0;
};

/// Who runs a LeaseMachine, and shows what it says to everybody else.
class LeaseHost {
 public:
  /// What a node has, after a look at the table that went well.
  struct View {
    std::vector<ShardsView::Look> looks;  ///< by the shard's number
    size_t serving = 0;
    bool alone = false;  ///< nobody is there to give anything to
  };

  virtual ~LeaseHost() = default;
  /// Runs `job` on the machine's thread, not within this call. Any thread; may be dropped when the
  /// node stops.
  virtual void post(std::function<void()> job) = 0;
  /// Until when what is answered without a write may be; holds for all answers from now on.
  virtual void lease_until(SteadyTime until) = 0;
  virtual void show(View view) = 0;
  // For people.
  virtual void silent(const Member& member) = 0;
  virtual void buried() = 0;  ///< this node itself
  /// Said once, until the table answers again.
  virtual void table_fails(const Status& why) = 0;
};

/// All decisions of who keeps a node's lease: when to renew, whom to bury, what to take, give,
/// serve and serve no more. What waits is the table alone, so that one thread, or a simulation, can
/// run it.
///
/// Owned by the LeaseKeeper; one thread. Invariants: I17, that is: a shard is served only after the
/// table was seen to say that it is this start's; it is given only when no call to it is under way
/// here; the lease here ends before any other node may take what it covers (SilenceWatch). Not its
/// job: fencing writes, which the journal does.
class LeaseMachine {
 public:
  struct Options {
    Member self;  ///< without its incarnation
    uint32_t shard_count = 0;
    LeaseTimes times;
    std::function<SteadyTime()> now;
    std::function<Id128()> fresh;
  };
  LeaseMachine(Options options, OwnershipTable& table, ShardGate& gate, Neighbourhood& neighbours,
               LeaseHost& host);

  /// Every few tens of milliseconds: a round where one is due, and what time alone brings about.
  void tick();
  /// Renews, looks, and does what follows.
  void round();
  /// Another node says that it owns a shard: taken for true where this node has no lease, and no
  /// way to the table that would say so.
  void told(Shard shard, const NodeName& owner, Epoch epoch);
  /// Gives everything to the others from now on, and takes nothing any more.
  void leave();
  /// Serves nothing any more; what is left is anybody's. The last that it does.
  void stop();

 private:
  struct Mine {
    bool serving = false;
    Epoch epoch;
    std::optional<Member> giving;  ///< to whom; calls are held
    uint64_t hold = 0;             ///< which time that calls are held
    bool quiet = false;            ///< nothing is under way
    bool given_up = false;         ///< nobody knows yet whether it was given
  };
  Result<bool> keep_lease();
  /// What the table says, after whoever is silent was buried.
  Result<Membership> look_around();
  Status reconcile(const Membership& seen);
  Status reconcile(const OwnedShard& shard, const std::vector<Member>& members);
  void act(const Membership& seen);
  void begin_to_give(Shard shard, const Member& to);
  void on_held(Shard shard, uint64_t hold);
  /// Gives to itself what was given without an answer, under the next epoch: what was sent first
  /// may come yet, but finds nothing to give any more, once the table has answered.
  Status settle_doubts();
  /// Buried: whatever this start owned is another's.
  void lose_everything();
  /// As another start, which is not a member yet.
  void begin_anew();
  void on_quiet();
  void stop_serving_all();
  void stop_serving(Shard shard, const NodeName& to, Epoch epoch);
  void set_lease(int64_t until_micros);
  void show();
  void complain(const Status& why);
  [[nodiscard]] bool is_self(const Member& member) const {
    return member.node == self_.node && member.incarnation == self_.incarnation;
  }

  const Options options_;
  OwnershipTable& table_;
  ShardGate& gate_;
  Neighbourhood& neighbours_;
  LeaseHost& host_;
  Member self_;
  bool joined_ = false;
  bool may_have_joined_ = false;  ///< the table was asked, and did not answer
  bool stopped_ = false;
  bool silent_ = false;  ///< the table did not answer last time
  bool alone_ = false;
  int64_t lease_until_ = 0;
  SteadyTime next_round_;
  SilenceWatch watch_;
  std::vector<Mine> mine_;
  uint64_t holds_ = 0;
  /// Shards whose calls of before they were served no more have not all come to their end.
  int endings_ = 0;
  /// Given without an answer: served no more under that epoch, whatever the table says, until it is
  /// settled.
  std::map<Shard, Epoch> doubts_;
};

}  // namespace parley
