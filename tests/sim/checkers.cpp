#include "tests/sim/checkers.hpp"

#include <algorithm>

#include "tests/sim/check_answers.hpp"
#include "tests/sim/log_index.hpp"

namespace parley::sim {
namespace {

using Found = std::optional<Violation>;

std::string named(const Evidence& evidence, OpId op) {
  return "op " + std::to_string(op) + " on " + thread_name(evidence.history.ops[op].thread);
}

/// When an op's change was first acknowledged, k_never if it was not.
Step acked(const Evidence& evidence, const LogIndex& index, const Op& op) {
  Step earliest = k_never;
  for (const AttemptId each : op.attempts) {
    const Attempt& attempt = evidence.history.attempts[each];
    if (attempt.result != Result::ok || !index.place_of(op, attempt)) continue;
    earliest = std::min(earliest, attempt.returned);
  }
  return earliest;
}

Step first_invoked(const Evidence& evidence, const Op& op) {
  return evidence.history.attempts[op.attempts.front()].invoked;
}

/// I2: nothing twice in one incarnation, and what was asked together stands together.
Found check_doubles(const Evidence& evidence, const LogIndex& index) {
  for (OpId id = 0; id < index.places_of_op.size(); ++id) {
    const Op& op = evidence.history.ops[id];
    const ThreadIndex& thread = index.threads[op.thread];
    const auto& places = index.places_of_op[id];
    for (size_t i = 0; i < places.size(); ++i) {
      if (i > 0 && thread.incarnation[places[i]] == thread.incarnation[places[i - 1]]) {
        return Violation{"I2", named(evidence, id) + " was carried out twice"};
      }
      const auto& appended = thread.places[places[i]].appended;
      bool as_asked = appended.size() == op.bodies;
      for (uint32_t k = 0; as_asked && k < op.bodies; ++k) {
        as_asked = appended[k] == op.first_body + k;
      }
      if (!as_asked) return Violation{"I2", named(evidence, id) + " was not appended as asked"};
    }
  }
  return std::nullopt;
}

/// I1: what was acknowledged is there, with that receipt. I10: not before it was durable. And
/// nothing is there of which every attempt was told that nothing was done, or before it was asked.
Found check_acknowledged(const Evidence& evidence, const LogIndex& index) {
  for (OpId id = 0; id < evidence.history.ops.size(); ++id) {
    const Op& op = evidence.history.ops[id];
    if (op.kind == Kind::read || op.attempts.empty()) continue;
    const auto& places = index.places_of_op[id];
    const ThreadIndex& thread = index.threads[op.thread];
    bool maybe_done = false;
    for (const AttemptId each : op.attempts) {
      const Attempt& attempt = evidence.history.attempts[each];
      maybe_done =
          maybe_done || (attempt.result != Result::not_done && attempt.result != Result::refused);
      if (attempt.result != Result::ok) continue;
      const auto place = index.place_of(op, attempt);
      if (!place) {
        if (may_change_nothing(op)) continue;  // judged like a read
        const char* how = places.empty() ? " and is lost" : " with another receipt";
        return Violation{"I1", named(evidence, id) + " was acknowledged" + how};
      }
      if (attempt.returned < thread.places[*place].durable) {
        return Violation{"I10", named(evidence, id) + " was acknowledged before it was durable"};
      }
    }
    if (places.empty()) continue;
    if (!maybe_done) {
      return Violation{"I3", named(evidence, id) + " is there, but was said not to have been done"};
    }
    if (thread.places[places.front()].durable < first_invoked(evidence, op)) {
      return Violation{"I3", named(evidence, id) + " is there before it was asked"};
    }
  }
  return std::nullopt;
}

/// I4: what was acknowledged before another op began stands before it.
Found check_real_time(const Evidence& evidence, const LogIndex& index) {
  for (const ThreadIndex& thread : index.threads) {
    Step newest_invocation = 0;
    for (size_t place = 1; place < thread.places.size(); ++place) {
      const auto& op = thread.places[place].op;
      if (!op || index.places_of_op[*op].size() != 1) continue;
      if (acked(evidence, index, evidence.history.ops[*op]) < newest_invocation) {
        return Violation{"I4",
                         named(evidence, *op) + " stands after what began after it had ended"};
      }
      newest_invocation =
          std::max(newest_invocation, first_invoked(evidence, evidence.history.ops[*op]));
    }
  }
  return std::nullopt;
}

bool same(const Event& a, const Event& b) {
  if (a.version != b.version || a.time != b.time || a.body.index() != b.body.index()) return false;
  if (a.dedup != b.dedup) return false;
  const auto* one = std::get_if<MessagesAppended>(&a.body);
  const auto* other = std::get_if<MessagesAppended>(&b.body);
  if (one == nullptr) return true;
  return one->messages.size() == other->messages.size() &&
         std::equal(one->messages.begin(), one->messages.end(), other->messages.begin(),
                    [](const auto& x, const auto& y) { return *x.body == *y.body; });
}

/// I6: a watch is an exact slice of one incarnation's log, in order, each event once, none before
/// it was durable (I10).
Found check_watches(const Evidence& evidence) {
  for (const Watched& watched : evidence.history.watched) {
    const auto& log = evidence.journal.log(watched.thread);
    const auto begin = std::find_if(log.begin(), log.end(), [&](const LogEntry& entry) {
      const auto* created = std::get_if<ConversationCreated>(&entry.event->body);
      return created != nullptr && created->lineage.history == watched.history;
    });
    size_t next = static_cast<size_t>(begin - log.begin()) + watched.from.value;
    for (const auto& [event, at] : watched.shown) {
      const std::string where = "a watch of " + thread_name(watched.thread) + " at version " +
                                std::to_string(event->version.value);
      if (next >= log.size() || !same(*event, *log[next].event)) {
        return Violation{"I6", where + " was not shown what comes next in the log"};
      }
      if (at < log[next].durable) return Violation{"I10", where + " was shown what is not durable"};
      ++next;
    }
  }
  return std::nullopt;
}

/// Marks what of a lineage's own history must be there.
void need(std::map<Id128, std::pair<uint64_t, uint64_t>>& needed, const Lineage& lineage,
          uint64_t last) {
  const uint64_t first = lineage.shared_through().value + 1;
  if (last >= first) needed[lineage.history] = {first, last};
}

/// I14: of messages, all is there that a conversation or a fork still shows, and nothing else is.
Found check_erasure(const Evidence& evidence, const LogIndex& index) {
  std::map<Id128, std::pair<uint64_t, uint64_t>> needed;
  for (const ThreadIndex& thread : index.threads) {
    const State& state = thread.state;
    if (state.exists) need(needed, state.current, state.last_sequence.value);
    for (const Lineage& lineage : state.former) {
      uint64_t highest = 0;
      for (const auto& child : lineage.children) highest = std::max(highest, child.at.value);
      need(needed, lineage, highest);
    }
  }
  for (const auto& [history, range] : needed) {
    for (uint64_t at = range.first; at <= range.second; ++at) {
      if (evidence.journal.message(history, {at}) == nullptr) {
        return Violation{"I14", "a message that is still shown was erased"};
      }
    }
  }
  for (const auto& [history, messages] : evidence.journal.messages()) {
    for (uint64_t at = 0; at < messages.size(); ++at) {
      const auto range = needed.find(history);
      const bool kept =
          range != needed.end() && range->second.first <= at && at <= range->second.second;
      if (messages[at] != nullptr && !kept) {
        return Violation{"I14", "a message that nobody shows was not erased"};
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Violation> check(const Evidence& evidence, Stats& stats) {
  LogIndex index;
  if (auto wrong = build_index(evidence, index)) return wrong;
  if (auto wrong = check_doubles(evidence, index)) return wrong;
  if (auto wrong = check_acknowledged(evidence, index)) return wrong;
  if (auto wrong = check_real_time(evidence, index)) return wrong;
  if (auto wrong = check_answers(evidence, index, stats)) {
    if (!evidence.without_fence) return wrong;
  }
  if (auto wrong = check_watches(evidence)) return wrong;
  return check_erasure(evidence, index);
}

}  // namespace parley::sim
