#include <utility>

#include "conversation/fork.hpp"
#include "tests/sim/sim_node.hpp"

/// How a node shows a conversation and replies to its callers.
namespace parley::sim {

void SimNode::render(const Engine& engine, AttemptId attempt) {
  const State& state = engine.tentative();
  const uint8_t thread = around_.history.ops[around_.history.attempts[attempt].op].thread;
  Rendered& rendered = rendered_[attempt];
  rendered.spans = state.spans({shard_of(thread)});
  rendered.recent.assign(engine.recent().all().begin(), engine.recent().all().end());
  around_.history.attempts[attempt].view = {state.current.history, state.version, {}};
  if (!around_.mutations.reads_not_held) return;
  fill_view(attempt, true);
  reply(attempt, Result::ok);
}

/// The window's messages as they were rendered, older ones from storage now that all is durable.
bool SimNode::fill_view(AttemptId attempt, bool anyway) {
  const Rendered& rendered = rendered_[attempt];
  std::vector<uint32_t>& bodies = around_.history.attempts[attempt].view.bodies;
  bodies.clear();
  const uint64_t first_recent =
      rendered.recent.empty() ? UINT64_MAX : rendered.recent.front().sequence.value;
  for (const HistorySpan& span : rendered.spans) {
    for (uint64_t at = span.first.value; at <= span.last.value; ++at) {
      const auto body = at >= first_recent ? rendered.recent[at - first_recent].body
                                           : around_.journal.message(span.history, {at});
      if (body != nullptr) {
        bodies.push_back(body_number(*body));
      } else if (anyway) {
        bodies.push_back(UINT32_MAX);
      } else {
        return false;
      }
    }
  }
  return true;
}

/// A reset or deletion may erase what a read rendered before it still has to fetch: then the read
/// is asked again. A message that is missing although nothing has changed is shown as missing.
bool SimNode::must_ask_again(const Engine& engine, AttemptId attempt, const Outcome& outcome) {
  const auto rendered = rendered_.find(attempt);
  if (rendered == rendered_.end()) return false;
  const bool shown = std::holds_alternative<Receipt>(outcome);
  if (shown && around_.history.attempts[attempt].reply == Result::pending &&
      !fill_view(attempt, false)) {
    const View& view = around_.history.attempts[attempt].view;
    const State& state = engine.tentative();
    const bool changed = state.version != view.version || state.current.history != view.history;
    if (changed) {
      ask_again_.push_back(attempt);
      return true;
    }
    fill_view(attempt, true);
  }
  rendered_.erase(rendered);
  return false;
}

void SimNode::reply(uint8_t thread, AttemptId id, const Outcome& outcome) {
  Attempt& attempt = around_.history.attempts[id];
  if (attempt.reply != Result::pending) return;
  if (const auto* receipt = std::get_if<Receipt>(&outcome)) {
    attempt.receipt = *receipt;
    if (around_.history.ops[attempt.op].kind == Kind::note_fork) {
      attempt.fork = fork_point(activations_[thread]->engine->tentative(), thread_name(thread),
                                {shard_of(thread)}, receipt->fork);
    }
    return reply(id, Result::ok);
  }
  if (const auto* refusal = std::get_if<Refusal>(&outcome)) {
    attempt.refusal = *refusal;
    return reply(id, Result::refused);
  }
  const bool unknown =
      std::get<Failure>(outcome) == Failure::unknown && !around_.mutations.unknown_told_not_done;
  reply(id, unknown ? Result::unknown : Result::not_done);
}

void SimNode::reply(AttemptId id, Result result) {
  Attempt& attempt = around_.history.attempts[id];
  if (attempt.reply != Result::pending) return;
  attempt.reply = result;
  attempt.live = false;
  around_.timeline.trace("reply", id, attempt.op, static_cast<uint64_t>(result),
                         attempt.receipt.version.value);
  if (around_.timeline.rng.chance(around_.rates.response_lost)) return;
  around_.timeline.after(around_.timeline.rng.between(10, 500), Do::respond, id);
}

}  // namespace parley::sim
