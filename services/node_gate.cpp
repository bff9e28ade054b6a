#include "services/node_gate.hpp"

#include "base/log.hpp"
#include "parley/cluster/v1/peer.pb.h"

namespace parley {
namespace {

constexpr const char* k_owned = "ShardsOwned";
/// Nobody waits for the answer, which says only that the letter came.
constexpr int64_t k_letter_micros = 5'000'000;

void add(cluster::v1::ShardsOwned& owned, Shard shard, Epoch epoch) {
  auto& one = *owned.add_shards();
  one.set_shard(shard.value);
  one.set_epoch(epoch.value);
}

}  // namespace

void NodeGate::serve_peers(PeerCalls& peers) {
  peers.add_letters(
      k_owned, [this](const NodeName& from, const std::string& letter) { on_owned(from, letter); });
  peers.when_linked([this](const NodeName& node) { tell_owned(node); });
}

void NodeGate::hold(Shard shard, std::function<void()> held) {
  owned_.set(shard, ShardUse::held);
  node_.registry.put_away(shard, std::move(held));
}

void NodeGate::resume(Shard shard) {
  owned_.set(shard, ShardUse::served);
  node_.registry.resume(shard);
}

Status NodeGate::serve(Shard shard, Epoch epoch) {
  if (Status status = fence_(shard, epoch); !status.ok()) return status;
  node_.router->own(shard, epoch);
  resume(shard);
  cluster::v1::ShardsOwned owned;
  add(owned, shard, epoch);
  for (const NodeName& other : node_.router->others()) {
    tell(other, k_owned, owned.SerializeAsString());
  }
  return absl::OkStatus();
}

Status NodeGate::stop_serving(Shard shard, const NodeName& to, Epoch epoch) {
  node_.router->give(shard, {to, epoch});
  owned_.set(shard, ShardUse::elsewhere);
  node_.registry.put_away(shard, [] {});
  node_.registry.resume(shard);
  // Fences what should still be on its way. Why last: nothing may begin here under the other one's
  // epoch.
  return fence_(shard, epoch);
}

void NodeGate::when_quiet(Shard shard, std::function<void()> quiet) {
  node_.registry.put_away(shard, std::move(quiet));
}

void NodeGate::tell(const NodeName& to, const char* method, std::string letter) const {
  node_.router->ask(to, {method, {}, std::move(letter), k_letter_micros, true}, new NobodyWaits);
}

void NodeGate::tell_owned(const NodeName& to) const {
  cluster::v1::ShardsOwned owned;
  for (const Shard shard : node_.router->shards_of(node_.router->self())) {
    add(owned, shard, node_.router->known(shard).epoch);
  }
  tell(to, k_owned, owned.SerializeAsString());
}

void NodeGate::on_owned(const NodeName& from, const std::string& letter) const {
  cluster::v1::ShardsOwned told;
  if (!told.ParseFromString(letter)) {
    return spdlog::warn("what node {} owns cannot be read", from.value);
  }
  for (const auto& owned : told.shards()) {
    if (owned.shard() >= node_.router->shard_count()) continue;
    const Shard shard{static_cast<uint16_t>(owned.shard())};
    node_.router->learn(shard, {from, {owned.epoch()}});
    if (told_) told_(shard, from, {owned.epoch()});
  }
}

}  // namespace parley
