#include "cluster/lease_keeper.hpp"

#include <utility>

#include "base/log.hpp"

namespace parley {
namespace {

constexpr auto k_tick = std::chrono::milliseconds(50);

}  // namespace

LeaseKeeper::LeaseKeeper(Options options, OwnershipTable& table, ShardGate& gate,
                         Neighbourhood& neighbours)
    : machine_(options, table, gate, neighbours, *this),
      view_{.looks = std::vector<Look>(options.shard_count), .serving = 0, .alone = false} {}

void LeaseKeeper::start() {
  thread_.start(k_tick, [this] { machine_.tick(); });
}

void LeaseKeeper::look_now() {
  thread_.post([this] { machine_.round(); });
}

void LeaseKeeper::told(Shard shard, const NodeName& owner, Epoch epoch) {
  thread_.post([this, shard, owner, epoch] { machine_.told(shard, owner, epoch); });
}

void LeaseKeeper::drain(std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  if (stopped_) return;
  thread_.post([this] { machine_.leave(); });
  changed_.wait_for(lock, most, [this] { return view_.serving == 0 || view_.alone; });
}

void LeaseKeeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
  }
  thread_.stop();
  machine_.stop();
}

std::vector<ShardsView::Look> LeaseKeeper::look() const {
  const std::lock_guard lock(mutex_);
  return view_.looks;
}

void LeaseKeeper::show(View view) {
  {
    const std::lock_guard lock(mutex_);
    view_ = std::move(view);
  }
  changed_.notify_all();
}

void LeaseKeeper::silent(const Member& member) {
  spdlog::warn("node {} is silent: what it owned is anybody's now", member.node);
}

void LeaseKeeper::buried() { spdlog::error("this node was taken for dead: it begins anew"); }

void LeaseKeeper::table_fails(const Status& why) {
  spdlog::error("who owns which shard cannot be kept up: {}", why.ToString());
}

}  // namespace parley
