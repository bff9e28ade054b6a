#include "tests/sim/shared/clients.hpp"

#include <algorithm>
#include <utility>

namespace parley::sim::shared {
namespace {

constexpr size_t k_clients = 5;

}  // namespace

void Clients::start() {
  clients_.resize(k_clients);
  for (size_t i = 0; i < clients_.size(); ++i) rest(i);
}

void Clients::finish() { finishing_ = true; }

bool Clients::finished() const {
  return std::ranges::all_of(done_, [](const Done& done) { return done.written && done.read; });
}

void Clients::rest(size_t client) {
  around_.agenda.after(around_.agenda.rng().between(500, 120'000), [this, client] { act(client); });
}

Process* Clients::whom(Shard shard) {
  Rng& rng = around_.agenda.rng();
  if (finishing_ || rng.chance(600)) {
    const OwnedShard& row = around_.database.shard(shard);
    if (row.node.empty()) return nullptr;
    return processes_[process_of(row.incarnation)].get();
  }
  std::vector<Process*> alive;
  for (const auto& process : processes_) {
    if (!process->dead()) alive.push_back(process.get());
  }
  return alive.empty() ? nullptr : alive[rng.below(alive.size())];
}

void Clients::act(size_t client) {
  Rng& rng = around_.agenda.rng();
  const Shard shard{static_cast<uint16_t>(rng.below(k_shards))};
  Process* process = whom(shard);
  if (process == nullptr) return rest(client);
  const bool writes = rng.chance(400);
  const Asked asked{.client = client,
                    .attempt = ++clients_[client].attempt,
                    .write = writes ? ++writes_ : 0,
                    .shard = shard,
                    .process = process->number(),
                    .floor = around_.judge.floor(shard)};
  Call call{.shard = shard,
            .write = asked.write,
            .reply =
                [this, asked](Reply reply) {
                  around_.agenda.after(around_.agenda.rng().between(100, 3'000),
                                       [this, asked, reply] { hear(asked, reply); });
                },
            .begun = {}};
  process->deliver(rng.between(100, 3'000), [process, call = std::move(call)]() mutable {
    process->shards().arrive(std::move(call));
  });
  around_.agenda.after(rng.between(300'000, 4'000'000), [this, asked] {
    if (clients_[asked.client].attempt != asked.attempt) return;
    ++around_.stats.unknown;
    act(asked.client);
  });
}

void Clients::hear(const Asked& asked, Reply reply) {
  Client& client = clients_[asked.client];
  if (client.attempt != asked.attempt) return;
  ++client.attempt;
  around_.agenda.trace("hear", asked.process, asked.shard.value, static_cast<uint64_t>(reply.kind),
                       reply.version);
  Done& done = done_[asked.shard.value];
  switch (reply.kind) {
    case Reply::Kind::shown:
      ++around_.stats.reads;
      around_.judge.read(asked.process, asked.shard, asked.floor, reply.version);
      if (finishing_ && done.written) done.read = true;
      break;
    case Reply::Kind::acknowledged:
      ++around_.stats.acked;
      around_.judge.acknowledged(asked.process, asked.shard, reply.version, asked.write);
      if (finishing_) done.written = true;
      break;
    case Reply::Kind::refused:
      ++around_.stats.refused;
      break;
    case Reply::Kind::unknown:
      ++around_.stats.unknown;
      break;
  }
  rest(asked.client);
}

}  // namespace parley::sim::shared
