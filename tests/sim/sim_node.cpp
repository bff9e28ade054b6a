#include "tests/sim/sim_node.hpp"

#include <utility>

#include "conversation/decide.hpp"
#include "conversation/evolve.hpp"
#include "tests/sim/command_of.hpp"

namespace parley::sim {

SimNode::SimNode(uint8_t id, Surroundings around)
    : id_(id),
      around_(around),
      steady_base_(around.timeline.rng.between(0, 1'000'000)),
      drift_ppm_(around.timeline.rng.between(-k_drift_ppm_max, k_drift_ppm_max)) {}

SteadyTime SimNode::steady() const {
  const int64_t now = around_.timeline.now();
  return {steady_base_ + now + now * drift_ppm_ / 1'000'000};
}

WallTime SimNode::wall() const {
  constexpr int64_t k_start = 1'700'000'000'000'000;
  return {k_start + around_.timeline.now() + wall_offset_};
}

Ownership SimNode::ownership(uint8_t shard) const {
  const Holding& holding = holdings_[shard];
  return {holding.epoch, around_.mutations.no_lease ? SteadyTime::never() : holding.until};
}

const Engine* SimNode::serving(uint8_t thread) const {
  if (down_ || around_.timeline.now() < paused_until_) return nullptr;
  const auto& activation = activations_[thread];
  if (!activation || !activation->engine || activation->engine->abandoned()) return nullptr;
  const Ownership mine = ownership(shard_of(thread));
  return mine.epoch.value != 0 && steady() < mine.until ? activation->engine.get() : nullptr;
}

// ---- leases

void SimNode::tend(uint8_t shard) {
  const Holding& holding = holdings_[shard];
  if (down_ || cut_off()) return;
  const uint32_t steal = around_.rates.steal == 0 ? 300 : around_.rates.steal;
  const bool mine = around_.leases.owner(shard) == id_;
  if (holding.epoch.value == 0 && !mine && !around_.timeline.rng.chance(steal)) return;
  const uint32_t request = around_.leases.ask({.node = id_,
                                               .shard = shard,
                                               .incarnation = incarnation_,
                                               .raise = holding.raise,
                                               .epoch = holding.epoch,
                                               .sent_steady = steady().micros,
                                               .drift_ppm = drift_ppm_});
  int64_t there = around_.timeline.rng.between(10, 400);
  if (around_.timeline.rng.chance(around_.rates.slow)) there += k_lease / 2;
  around_.timeline.after(there, Do::grant, request);
}

void SimNode::granted(uint32_t id) {
  const Leases::Request& request = around_.leases.request(id);
  if (down_ || request.incarnation != incarnation_) return;
  const Holding& holding = holdings_[request.shard];
  if (!request.granted) {
    if (request.epoch.value != 0 && request.epoch == holding.epoch) let_go(request.shard);
    return;
  }
  if (holding.epoch <= request.granted_epoch) hold(request.shard, request);
}

void SimNode::hold(uint8_t shard, const Leases::Request& request) {
  Holding& holding = holdings_[shard];
  const int64_t from = around_.mutations.lease_from_reply ? steady().micros : request.sent_steady;
  const SteadyTime until{from + k_lease_safe};
  if (holding.epoch == request.granted_epoch) {
    holding.until = std::max(holding.until, until);
  } else {
    around_.timeline.trace("hold", id_, shard, request.granted_epoch.value);
    ++around_.stats.take_overs;
    holding = {request.granted_epoch, until, false};
  }
  for (uint8_t thread = 0; thread < k_threads; ++thread) {
    if (shard_of(thread) != shard || !activations_[thread] || !activations_[thread]->engine)
      continue;
    step(thread, OwnershipChanged{ownership(shard)});
  }
}

void SimNode::let_go(uint8_t shard) {
  around_.timeline.trace("let_go", id_, shard, holdings_[shard].epoch.value);
  holdings_[shard] = {};
  for (uint8_t thread = 0; thread < k_threads; ++thread) {
    if (shard_of(thread) != shard || !activations_[thread]) continue;
    if (!activations_[thread]->engine) {
      end_activation(thread, Result::not_done);
    } else if (!activations_[thread]->engine->abandoned()) {
      step(thread, OwnershipChanged{});
    }
  }
}

// ---- activations

void SimNode::arrive(AttemptId attempt) {
  const uint8_t thread = around_.history.ops[around_.history.attempts[attempt].op].thread;
  const Holding& holding = holdings_[shard_of(thread)];
  pending_.push_back(attempt);
  if (down_ || holding.epoch.value == 0 || barred_[thread] == holding.epoch) {
    return reply(attempt, Result::not_done);
  }
  if (!activations_[thread]) activate(thread);
  if (activations_[thread]->engine) return submit(thread, attempt);
  activations_[thread]->waiting.push_back(attempt);
}

void SimNode::wake(uint8_t thread) {
  const Epoch epoch = holdings_[shard_of(thread)].epoch;
  const bool may = !down_ && around_.timeline.now() >= paused_until_ && epoch.value != 0;
  if (may && barred_[thread] != epoch && !activations_[thread]) activate(thread);
}

void SimNode::activate(uint8_t thread) {
  auto activation = std::make_unique<Activation>();
  activation->number = ++last_activation_;
  activation->epoch = holdings_[shard_of(thread)].epoch;
  around_.timeline.trace("activate", id_, thread, activation->number, activation->epoch.value);
  around_.timeline.after(around_.timeline.rng.between(10, 500), Do::load,
                         uint32_t{id_} << 8 | thread, activation->number);
  activations_[thread] = std::move(activation);
}

void SimNode::load(uint8_t thread, uint32_t number) {
  const auto& activation = activations_[thread];
  if (!activation || activation->number != number) return;
  if (around_.timeline.rng.chance(around_.rates.load_fails)) {
    return end_activation(thread, Result::not_done);
  }
  activation->loaded = around_.journal.load(thread);
  around_.timeline.after(around_.timeline.rng.between(10, 500), Do::loaded,
                         uint32_t{id_} << 8 | thread, number);
}

void SimNode::loaded(uint8_t thread, uint32_t number) {
  const auto& activation = activations_[thread];
  if (!activation || activation->number != number) return;
  const uint8_t shard = shard_of(thread);
  if (activation->epoch != holdings_[shard].epoch) {
    // What was read under an epoch that is over may have been overtaken.
    activation->epoch = holdings_[shard].epoch;
    return around_.timeline.after(10, Do::load, uint32_t{id_} << 8 | thread, number);
  }
  around_.timeline.trace("loaded", id_, thread, number, activation->loaded->state.version.value);
  if (around_.mutations.survive_unknown) activation->shadow = activation->loaded->state;
  activation->engine =
      std::make_unique<Engine>(std::move(*activation->loaded), ownership(shard), around_.limits);
  for (const AttemptId attempt : std::exchange(activation->waiting, {})) {
    if (activations_[thread]) {
      submit(thread, attempt);
    } else {
      reply(attempt, Result::not_done);
    }
  }
}

void SimNode::end_activation(uint8_t thread, Result told) {
  for (const AttemptId attempt : activations_[thread]->waiting) reply(attempt, told);
  activations_[thread].reset();
  around_.audience.detach(id_, thread);
}

void SimNode::passivate(uint8_t thread) {
  const auto& activation = activations_[thread];
  if (!activation || !activation->engine || !activation->engine->quiescent()) return;
  const Engine& engine = *activation->engine;
  around_.timeline.trace("passivate", id_, thread, engine.durable().value);
  if (engine.snapshot_due_at_end()) {
    around_.journal.keep_snapshot(thread, std::make_shared<const State>(engine.tentative()));
  }
  end_activation(thread, Result::not_done);
}

void SimNode::crash() {
  around_.timeline.trace("crash", id_);
  ++around_.stats.crashes;
  down_ = true;
  ++incarnation_;
  paused_until_ = 0;
  for (const AttemptId attempt : std::exchange(pending_, {})) {
    around_.history.attempts[attempt].live = false;
  }
  rendered_.clear();
  for (uint8_t thread = 0; thread < k_threads; ++thread) {
    activations_[thread].reset();
    barred_[thread] = {};
    around_.audience.detach(id_, thread);
  }
  for (Holding& holding : holdings_) holding = {};
}

// ---- the shell of an engine

void SimNode::submit(uint8_t thread, AttemptId attempt) {
  const OpId id = around_.history.attempts[attempt].op;
  const Op& op = around_.history.ops[id];
  if (op.kind == Kind::read) {
    return step(thread, Query{attempt, op.expected.value_or(Version{}), steady()});
  }
  CommandMeta meta = meta_of(op, id);
  if (around_.mutations.no_dedup) meta.request = {};
  const Context context{wall(), tagged_id('H', attempt + 1), {shard_of(thread)}, &around_.limits};
  Submit submit{attempt, command_of(op, id), meta, context, steady()};
  if (around_.mutations.answer_before_ack) answer_early(thread, attempt, submit);
  step(thread, std::move(submit));
}

/// The mutant: answers what is only decided.
void SimNode::answer_early(uint8_t thread, AttemptId attempt, const Submit& submit) {
  const Engine& engine = *activations_[thread]->engine;
  const Decision decision = decide(engine.tentative(), submit.command, submit.meta, submit.context);
  const auto* accepted = std::get_if<Accept>(&decision);
  if (accepted == nullptr || engine.abandoned()) return;
  reply(thread, attempt, accepted->receipt);
}

void SimNode::written(WriteId id) {
  const Write& write = around_.journal.write(id);
  const auto& activation = activations_[write.thread];
  if (!activation || activation->number != write.activation || !activation->engine) return;
  if (write.outcome == WriteOutcome::fenced) ++around_.stats.fenced;
  if (write.outcome == WriteOutcome::conflict) ++around_.stats.conflicts;
  activation->survives =
      around_.mutations.survive_unknown && write.outcome == WriteOutcome::unknown;
  step(write.thread, Written{write.outcome, steady()});
}

void SimNode::step(uint8_t thread, Input input) {
  Activation& activation = *activations_[thread];
  std::vector<Output> outputs;
  activation.engine->step(std::move(input), outputs);
  for (Output& output : outputs) perform(thread, std::move(output));
  const std::vector<AttemptId> again = std::exchange(ask_again_, {});
  if (activation.engine->abandoned()) {
    if (activation.survives) {
      survive(thread);
    } else {
      end_activation(thread, Result::not_done);
    }
  }
  for (const AttemptId attempt : again) {
    if (activations_[thread] != nullptr) {
      submit(thread, attempt);
    } else {
      reply(attempt, Result::not_done);
    }
  }
}

void SimNode::perform(uint8_t thread, Output&& output) {
  Activation& activation = *activations_[thread];
  if (auto* append = std::get_if<Append>(&output)) {
    if (around_.mutations.snapshot_ahead && around_.timeline.rng.chance(100)) {
      around_.journal.keep_snapshot(thread,
                                    std::make_shared<const State>(activation.engine->tentative()));
    }
    around_.journal.submit({.node = id_,
                            .thread = thread,
                            .activation = activation.number,
                            .epoch = append->epoch,
                            .batch = std::move(append->batch)});
  } else if (const auto* asked = std::get_if<Render>(&output)) {
    render(*activation.engine, static_cast<AttemptId>(asked->ticket));
  } else if (const auto* answer = std::get_if<Answer>(&output)) {
    const auto attempt = static_cast<AttemptId>(answer->ticket);
    if (must_ask_again(*activation.engine, attempt, answer->outcome)) return;
    if (answer->replayed) ++around_.stats.replayed;
    if (!activation.engine->abandoned() && std::holds_alternative<Failure>(answer->outcome)) {
      ++around_.stats.unproven;
    }
    reply(thread, attempt, answer->outcome);
  } else if (const auto* published = std::get_if<Publish>(&output)) {
    if (activation.shadow) {
      for (const Event& event : *published->events) {
        activation.shadow = evolve(std::move(*activation.shadow), event);
      }
    }
    around_.audience.publish(id_, thread, published->events);
  } else {
    perform_abandon(thread, std::get<Abandon>(output).failure);
  }
}

void SimNode::perform_abandon(uint8_t thread, Failure failure) {
  const uint8_t shard = shard_of(thread);
  const Epoch epoch = activations_[thread]->epoch;
  around_.timeline.trace("abandon", id_, thread, static_cast<uint64_t>(failure));
  if (epoch != holdings_[shard].epoch || activations_[thread]->survives) return;
  if (failure == Failure::unknown && around_.mutations.raise_after_unknown) {
    holdings_[shard].raise = true;
    barred_[thread] = epoch;
    around_.timeline.after(1, Do::tend, id_, uint32_t{shard} | 0x100);
  } else if (failure == Failure::not_owner && around_.timeline.rng.chance(500)) {
    let_go(shard);  // else it stays a zombie until its clock or the next refusal tells it
  }
}

/// The mutant: the activation goes on with what it had in memory before the write.
void SimNode::survive(uint8_t thread) {
  Activation& activation = *activations_[thread];
  activation.survives = false;
  activation.engine = std::make_unique<Engine>(Loaded{*activation.shadow, {}},
                                               ownership(shard_of(thread)), around_.limits);
}

}  // namespace parley::sim
