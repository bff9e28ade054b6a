#include "tests/sim/shared/process_shards.hpp"

#include <algorithm>
#include <utility>

#include "tests/sim/shared/process.hpp"

namespace parley::sim::shared {
namespace {

constexpr Reply k_refused{Reply::Kind::refused, 0};

}  // namespace

/// A conversation in memory. There until it is told to end and nothing of it is under way.
struct ProcessShards::Activation {
  Epoch epoch;
  bool loaded = false;
  bool abandoned = false;  ///< failed to load, or was refused a write: answers nothing any more
  bool ending = false;
  bool writing = false;
  bool proven_at_load = false;
  uint64_t version = 0;
  int under_way = 0;        ///< calls
  std::vector<Call> early;  ///< before it was loaded
  std::deque<Call> writes;
  std::vector<Call> held_reads;
  std::vector<std::function<void()>> ended;
};

ProcessShards::ProcessShards(Process& process)
    : process_(process), wire_(process), here_(k_shards) {}
ProcessShards::~ProcessShards() = default;

// ---- the gate

void ProcessShards::hold(Shard shard, std::function<void()> held) {
  if (process_.dead()) return;
  if (process_.around().mutations.give_while_served) return held();
  here(shard).use = Use::held;
  process_.around().agenda.trace("hold", process_.number(), shard.value);
  if (process_.around().mutations.give_while_under_way) {
    put_away(shard, [] {});
    return held();
  }
  put_away(shard, std::move(held));
}

void ProcessShards::resume(Shard shard) {
  process_.stumble();
  if (process_.dead()) return;
  here(shard).use = Use::served;
  admit_all(std::exchange(here(shard).held, {}));
}

Status ProcessShards::serve(Shard shard, Epoch epoch) {
  process_.stumble();
  if (process_.dead()) return absl::OkStatus();
  const Around& around = process_.around();
  around.agenda.trace("serve", process_.number(), shard.value, epoch.value);
  ++around.stats.served;
  around.judge.serves(process_.number(), shard, epoch);
  // One that comes too late answers nothing: its own lease is over.
  if (process_.lease_runs() && around.others.others_answer(process_, shard)) {
    around.judge.broken("I17", "process " + std::to_string(process_.number()) + " serves shard " +
                                   std::to_string(shard.value) +
                                   " while the lease of another one runs");
  }
  here(shard).epoch = std::max(here(shard).epoch, epoch);
  resume(shard);
  return absl::OkStatus();
}

Status ProcessShards::stop_serving(Shard shard, const NodeName&, Epoch epoch) {
  process_.stumble();
  if (process_.dead()) return absl::OkStatus();
  process_.around().agenda.trace("stop", process_.number(), shard.value, epoch.value);
  Here& at = here(shard);
  at.epoch = std::max(at.epoch, epoch);
  at.use = Use::elsewhere;
  put_away(shard, [] {});
  admit_all(std::exchange(at.held, {}));
  return absl::OkStatus();
}

void ProcessShards::when_quiet(Shard shard, std::function<void()> quiet) {
  if (process_.dead()) return;
  if (process_.around().mutations.quiet_at_once) return quiet();
  put_away(shard, std::move(quiet));
}

// ---- as the registry

void ProcessShards::arrive(Call call) { admit(std::move(call)); }

void ProcessShards::admit(Call call) {
  const Shard shard = call.shard;
  Here& at = here(shard);
  if (at.use == Use::elsewhere) return call.reply(k_refused);
  if (at.use == Use::held) return at.held.push_back(std::move(call));
  if (!at.activation) activate(shard);
  if (at.activation->ending) return at.waiting.push_back(std::move(call));
  ++at.activation->under_way;
  // The mailbox.
  Rng& rng = process_.around().agenda.rng();
  const bool stalls = rng.chance(process_.around().rates.call_stalls);
  process_.deliver(stalls ? rng.between(1'000, k_lease) : rng.between(5, 200),
                   [this, call = std::move(call)]() mutable { handle(std::move(call)); });
}

void ProcessShards::admit_all(std::vector<Call> calls) {
  for (Call& call : calls) admit(std::move(call));
}

void ProcessShards::put_away(Shard shard, std::function<void()> ended) {
  Here& at = here(shard);
  if (!at.activation) return ended();
  at.activation->ending = true;
  at.activation->ended.push_back(std::move(ended));
  end_if_quiet(shard);
}

void ProcessShards::end_if_quiet(Shard shard) {
  Here& at = here(shard);
  const Activation& activation = *at.activation;
  const bool loading = !activation.loaded && !activation.abandoned;
  if (!activation.ending || activation.under_way > 0 || activation.writing || loading) return;
  const auto ended = std::move(at.activation->ended);
  at.activation.reset();
  for (const auto& told : ended) told();
  admit_all(std::exchange(at.waiting, {}));
}

// ---- as the journal

void ProcessShards::activate(Shard shard) {
  Here& at = here(shard);
  at.activation = std::make_unique<Activation>();
  at.activation->epoch = at.epoch;
  if (at.uncertain) {
    return process_.deliver(1, [this, shard] { loaded(shard, Told::refused, 0); });
  }
  auto version = std::make_shared<uint64_t>(0);
  wire_.send([version, shard,
              &database = process_.around().database] { *version = database.log(shard).size(); },
             [this, shard, version](Told told) { loaded(shard, told, *version); });
}

void ProcessShards::raise(Shard shard) {
  auto raised = std::make_shared<Database::Raised>();
  wire_.send([raised, shard, epoch = here(shard).epoch,
              &database = process_.around().database] { *raised = database.raise(shard, epoch); },
             [this, shard, raised](Told told) {
               if (told != Told::answered) {
                 return process_.deliver(50'000, [this, shard] { raise(shard); });
               }
               Here& at = here(shard);
               at.uncertain = false;
               if (!raised->raised && !process_.around().mutations.adopts_any_epoch) return;
               ++process_.around().stats.raised;
               at.epoch = std::max(at.epoch, raised->now);
             });
}

// ---- as a conversation

void ProcessShards::loaded(Shard shard, Told told, uint64_t version) {
  Activation& activation = *here(shard).activation;
  if (told != Told::answered || here(shard).uncertain) {
    abandon(shard);
  } else {
    activation.loaded = true;
    activation.version = version;
    activation.proven_at_load = process_.lease_runs();
  }
  for (Call& call : std::exchange(activation.early, {})) handle(std::move(call));
  if (here(shard).activation.get() == &activation) end_if_quiet(shard);
}

void ProcessShards::handle(Call call) {
  Activation& activation = *here(call.shard).activation;
  if (activation.abandoned) return finish(call, k_refused);
  if (!activation.loaded) return activation.early.push_back(std::move(call));
  call.begun = process_.steady();
  Rng& rng = process_.around().agenda.rng();
  if (rng.chance(process_.around().rates.call_stalls)) {
    process_.deliver(rng.between(100, k_lease),
                     [this, call = std::move(call)]() mutable { read(std::move(call)); });
  } else {
    read(std::move(call));
  }
}

void ProcessShards::read(Call call) {
  Activation& activation = *here(call.shard).activation;
  if (activation.abandoned) return finish(call, k_refused);
  if (call.write != 0) {
    const Shard shard = call.shard;
    activation.writes.push_back(std::move(call));
    return send_next(shard);
  }
  if (activation.writing) return activation.held_reads.push_back(std::move(call));
  answer_read(call, call.begun);
}

void ProcessShards::answer_read(const Call& call, SteadyTime asked) {
  const Activation& activation = *here(call.shard).activation;
  const Mutations& mutations = process_.around().mutations;
  bool proven = asked.micros < process_.lease_until_micros();
  if (mutations.lease_tested_at_load) proven = activation.proven_at_load;
  if (proven || mutations.lease_not_tested) {
    return finish(call, {Reply::Kind::shown, activation.version});
  }
  ++process_.around().stats.unproven;
  finish(call, k_refused);
}

void ProcessShards::send_next(Shard shard) {
  Here& at = here(shard);
  Activation& activation = *at.activation;
  if (activation.writing || activation.writes.empty()) return;
  const Call call = std::move(activation.writes.front());
  activation.writes.pop_front();
  activation.writing = true;
  auto outcome = std::make_shared<WriteOutcome>(WriteOutcome::fenced);
  if (process_.around().mutations.fence && activation.epoch < at.epoch) {
    return process_.deliver(1, [this, call] { written(call, WriteOutcome::fenced); });
  }
  wire_.send(
      [outcome, shard, epoch = activation.epoch, expected = activation.version, write = call.write,
       &database = process_.around().database] {
        *outcome = database.commit(shard, epoch, expected, write);
      },
      [this, call, outcome](Told told) {
        const bool refused = told == Told::refused;
        written(call, told == Told::answered ? *outcome
                      : refused              ? WriteOutcome::not_written
                                             : WriteOutcome::unknown);
      });
}

void ProcessShards::written(const Call& call, WriteOutcome outcome) {
  const Shard shard = call.shard;
  Here& at = here(shard);
  Activation& activation = *at.activation;
  activation.writing = false;
  if (outcome == WriteOutcome::committed) {
    ++activation.version;
    const std::vector<Call> reads = std::exchange(activation.held_reads, {});
    ++activation.under_way;
    finish(call, {Reply::Kind::acknowledged, activation.version});
    for (const Call& each : reads) answer_read(each, process_.steady());
    --activation.under_way;
    send_next(shard);
    return end_if_quiet(shard);
  }
  if (outcome == WriteOutcome::fenced) ++process_.around().stats.fenced;
  if (outcome == WriteOutcome::unknown && !at.uncertain) {
    at.uncertain = true;
    raise(shard);
  }
  ++activation.under_way;
  abandon(shard);
  finish(call, outcome == WriteOutcome::unknown ? Reply{Reply::Kind::unknown, 0} : k_refused);
  --activation.under_way;
  end_if_quiet(shard);
}

/// The caller sees to its end.
void ProcessShards::abandon(Shard shard) {
  Activation& activation = *here(shard).activation;
  activation.abandoned = true;
  activation.ending = true;
  ++activation.under_way;
  for (const Call& each : std::exchange(activation.writes, {})) finish(each, k_refused);
  for (const Call& each : std::exchange(activation.held_reads, {})) finish(each, k_refused);
  --activation.under_way;
}

void ProcessShards::finish(const Call& call, Reply reply) {
  --here(call.shard).activation->under_way;
  call.reply(reply);
  end_if_quiet(call.shard);
}

}  // namespace parley::sim::shared
