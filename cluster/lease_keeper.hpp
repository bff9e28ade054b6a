#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "cluster/lease_machine.hpp"
#include "cluster/ticking_thread.hpp"

namespace parley {

/// The shards of one node of a cluster with a shared journal: keeps the node's lease, takes what
/// nobody owns, gives what is to be another's, and lets calls through to what is this node's.
///
/// Owned by the server; has one thread, on which the machine runs and with it the table, the gate
/// and the neighbourhood are used. Any thread may call. Invariants: those of the LeaseMachine,
/// which decides everything. Its own job: the thread, and what other threads look at.
class LeaseKeeper final : public ShardsView, private LeaseHost {
 public:
  using Options = LeaseMachine::Options;
  LeaseKeeper(Options options, OwnershipTable& table, ShardGate& gate, Neighbourhood& neighbours);
  ~LeaseKeeper() override { stop(); }

  void start();
  /// Gives everything to the others, as long as there are any; waits for it, not longer than that.
  void drain(std::chrono::milliseconds most);
  /// Serves nothing any more; what is left is anybody's.
  void stop();
  /// Something is this node's, as another one says: to be looked for at once.
  void look_now();
  /// Another node says that it owns a shard.
  void told(Shard shard, const NodeName& owner, Epoch epoch);

  /// Until when what is answered without a write may be: read by every conversation.
  [[nodiscard]] const std::atomic<int64_t>& lease_until_micros() const { return lease_until_; }
  [[nodiscard]] std::vector<Look> look() const override;

 private:
  void post(std::function<void()> job) override { thread_.post(std::move(job)); }
  void lease_until(SteadyTime until) override { lease_until_ = until.micros; }
  void show(View view) override;
  void silent(const Member& member) override;
  void buried() override;
  void table_fails(const Status& why) override;

  std::atomic<int64_t> lease_until_{0};
  LeaseMachine machine_;  ///< the thread's

  mutable std::mutex mutex_;  ///< guards all below
  std::condition_variable changed_;
  View view_;
  bool stopped_ = false;
  TickingThread thread_;
};

}  // namespace parley
