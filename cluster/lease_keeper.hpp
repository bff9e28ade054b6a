#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "cluster/lease_plan.hpp"
#include "cluster/shard_gate.hpp"
#include "cluster/shards_view.hpp"
#include "cluster/ticking_thread.hpp"

namespace parley {

/// What a node knows of the others by the table of ownership. The keeper's thread.
class Neighbourhood {
 public:
  virtual ~Neighbourhood() = default;
  virtual void members(const std::vector<Member>& members) = 0;
  /// Another one's, or nobody's.
  virtual void owned_elsewhere(Shard shard, const NodeName& owner, Epoch epoch) = 0;
  /// Tells that node that something is its own now. May get lost.
  virtual void tell_to_look(const NodeName& node) = 0;
};

/// The shards of one node of a cluster with a shared journal: keeps the node's lease, takes what
/// nobody owns, gives what is to be another's, and lets calls through to what is this node's.
///
/// Owned by the server; has one thread, on which the table, the gate and the neighbourhood are
/// used. Any thread may call. Invariants: a shard is served only after the table was seen to say
/// that it is this start's; it is given only when no call to it is under way here; the lease here
/// ends before any other node may take what it covers (SilenceWatch). Not its job: fencing writes,
/// which the journal does.
class LeaseKeeper final : public ShardsView {
 public:
  struct Options {
    Member self;  ///< without its incarnation
    uint32_t shard_count = 0;
    LeaseTimes times;
    std::function<SteadyTime()> now;
    std::function<Id128()> fresh;
  };
  LeaseKeeper(Options options, OwnershipTable& table, ShardGate& gate, Neighbourhood& neighbours);
  ~LeaseKeeper() override { stop(); }

  void start();
  /// Gives everything to the others, as long as there are any; waits for it, not longer than that.
  void drain(std::chrono::milliseconds most);
  /// Serves nothing any more; what is left is anybody's.
  void stop();
  /// Something is this node's, as another one says: to be looked for at once.
  void look_now();

  /// Until when what is answered without a write may be: read by every conversation.
  [[nodiscard]] const std::atomic<int64_t>& lease_until_micros() const { return lease_until_; }
  [[nodiscard]] std::vector<Look> look() const override;

 private:
  struct Mine {
    bool serving = false;
    Epoch epoch;
    std::optional<Member> giving;  ///< to whom; calls are held
    uint64_t hold = 0;             ///< which time that calls are held
    bool given_up = false;         ///< nobody knows yet whether it was given
  };

  void tick();
  /// Renews, looks, and does what follows.
  void round();
  Result<bool> keep_lease();
  /// What the table says, after whoever is silent was buried.
  Result<Membership> look_around();
  Status reconcile(const Membership& seen);
  Status reconcile(const OwnedShard& shard, const std::vector<Member>& members);
  void act(const Membership& seen);
  void begin_to_give(Shard shard, const Member& to);
  void on_held(Shard shard, uint64_t hold);
  /// Buried: whatever this start owned is another's.
  void lose_everything();
  void stop_serving(Shard shard, const NodeName& to, Epoch epoch);
  void publish();
  void complain(const Status& why);
  [[nodiscard]] bool is_self(const Member& member) const {
    return member.node == self_.node && member.incarnation == self_.incarnation;
  }

  const Options options_;
  OwnershipTable& table_;
  ShardGate& gate_;
  Neighbourhood& neighbours_;
  std::atomic<int64_t> lease_until_{0};

  // The thread's.
  Member self_;
  bool joined_ = false;
  bool silent_ = false;  ///< the table did not answer last time
  SteadyTime next_round_;
  SilenceWatch watch_;
  std::vector<Mine> mine_;
  uint64_t holds_ = 0;

  mutable std::mutex mutex_;  ///< guards all below
  std::condition_variable changed_;
  std::vector<Look> looks_;
  size_t serving_ = 0;
  bool alone_ = false;  ///< nobody is there to give anything to
  bool leaving_ = false;
  bool stopped_ = false;
  TickingThread thread_;
};

}  // namespace parley
