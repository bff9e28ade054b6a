#include "services/hosted_shards.hpp"

#include <utility>

#include "services/peer_calls.hpp"

namespace parley {
namespace {

/// Nobody waits for the answer, which says only that the letter came.
constexpr int64_t k_letter_micros = 5'000'000;

}  // namespace

Status HostedShards::record(Shard shard, const Holding& holding) {
  Holding& kept = shards_.holdings[shard.value];
  if (known_ && kept == holding) return absl::OkStatus();
  kept = holding;
  const Status status = write_shards(node_.config.data_dir, shards_);
  known_ = status.ok();
  return status;
}

Result<Holding> HostedShards::recorded(Shard shard) {
  if (!known_) {
    auto stored = read_shards(node_.config.data_dir);
    if (!stored.ok()) return stored.status();
    if (!*stored) return absl::DataLossError("the file of this node's shards is gone");
    shards_ = **std::move(stored);
    // What is read need not be what a loss of power leaves, until it was written without an error.
    if (Status status = write_shards(node_.config.data_dir, shards_); !status.ok()) return status;
    known_ = true;
  }
  return shards_.holdings[shard.value];
}

void HostedShards::hold(Shard shard, std::function<void()> held) {
  owned_.set(shard, ShardUse::held);
  node_.registry.put_away(shard, std::move(held));
}

void HostedShards::resume(Shard shard) {
  owned_.set(shard, ShardUse::served);
  node_.registry.resume(shard);
}

Status HostedShards::raise(Shard shard, Epoch epoch) {
  return node_.store.epoch(shard) < epoch ? node_.store.raise_epoch(shard, epoch)
                                          : absl::OkStatus();
}

Status HostedShards::serve(Shard shard, Epoch epoch) {
  // The store knows of a later owner than the file does, which is an old one then.
  if (node_.store.epoch(shard) > epoch) {
    return absl::FailedPreconditionError(
        "the file SHARDS is older than the store beside it; put both back as of one moment");
  }
  if (Status status = raise(shard, epoch); !status.ok()) return status;
  node_.router->own(shard, epoch);
  resume(shard);
  return absl::OkStatus();
}

Status HostedShards::stop_serving(Shard shard, const NodeName& to, Epoch epoch) {
  // Fences what should still be on its way.
  if (Status status = raise(shard, epoch); !status.ok()) return status;
  node_.router->give(shard, {to, epoch});
  owned_.set(shard, ShardUse::elsewhere);
  node_.registry.put_away(shard, [] {});
  node_.registry.resume(shard);
  return absl::OkStatus();
}

void HostedShards::send(const NodeName& to, std::string message) {
  node_.router->ask(to, {k_letter, {}, std::move(message), k_letter_micros, true}, new NobodyWaits);
}

}  // namespace parley
