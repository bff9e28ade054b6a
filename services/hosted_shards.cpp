#include "services/hosted_shards.hpp"

namespace parley {

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

Status HostedShards::serve(Shard shard, Epoch epoch) {
  // The store knows of a later owner than the file does, which is an old one then.
  if (store_.epoch(shard) > epoch) {
    return absl::FailedPreconditionError(
        "the file SHARDS is older than the store beside it; put both back as of one moment");
  }
  return gate_.serve(shard, epoch);
}

}  // namespace parley
