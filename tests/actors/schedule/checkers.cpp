#include "tests/actors/schedule/checkers.hpp"

#include <algorithm>
#include <map>

#include "tests/actors/schedule/log_index.hpp"

namespace parley::schedule {
namespace {

std::string named(const char* what, size_t op) {
  return std::string(what) + " (op " + std::to_string(op) + ")";
}

bool may_change_nothing(const Op& op) {
  return op.kind == Kind::read || op.kind == Kind::fork ||
         (op.lenient && (op.kind == Kind::create || op.kind == Kind::remove));
}

/// What was answered without a write must have been so while the call was under way (I5, I10).
Violation check_told(const LogIndex& index, const Op& op, const Attempt& attempt, Version told) {
  if (index.was_at(op.thread, told, attempt.asked, attempt.answered)) return std::nullopt;
  return named("I5, I10: a version was told that was not durable, or no more", attempt.op);
}

Violation check_receipt(const LogIndex& index, const Op& op, const Attempt& attempt) {
  const Receipt& receipt = *attempt.receipt();
  const Place* place = index.place_of(op, attempt);
  if (place == nullptr) {
    if (may_change_nothing(op)) return check_told(index, op, attempt, receipt.version);
    const bool there = !index.places_of_op[attempt.op].empty();
    return named(there ? "I1: acknowledged with another receipt" : "I1: acknowledged and lost",
                 attempt.op);
  }
  if (attempt.answered < place->from) {
    return named("I1: acknowledged before it was kept", attempt.op);
  }
  if (!attempt.replayed && attempt.answered < place->told) {
    return named("I1: acknowledged before the journal said so", attempt.op);
  }
  return std::nullopt;
}

Violation check_refusal(const LogIndex& index, const Op& op, const Attempt& attempt) {
  const Refusal& refusal = *attempt.refusal();
  switch (refusal.reason) {
    case Reason::conversation_not_found:
      return check_told(index, op, attempt, {});
    case Reason::conversation_exists:
    case Reason::version_mismatch:
    case Reason::version_not_reached:
      return check_told(index, op, attempt, refusal.current);
    case Reason::fork_not_found:
    case Reason::too_many_waiting:
    case Reason::fork_too_deep:
      return std::nullopt;
    default:
      return named("a refusal without reason", attempt.op);
  }
}

bool says_not_done(const Attempt& attempt) {
  if (!attempt.outcome || attempt.refusal() != nullptr) return true;
  const auto* failure = std::get_if<Failure>(&*attempt.outcome);
  return failure != nullptr && *failure != Failure::unknown;
}

Violation check_answers(const Record& record, const LogIndex& index, Stats& stats) {
  std::vector<bool> maybe_done(record.ops.size(), false);
  std::map<const Place*, int> fresh;
  for (const Attempt& attempt : record.attempts) {
    const Op& op = record.ops[attempt.op];
    if (attempt.answers != 1) return named("a call was not answered once", attempt.op);
    if (!says_not_done(attempt)) maybe_done[attempt.op] = true;
    Violation wrong;
    if (attempt.receipt() != nullptr) {
      ++(op.kind == Kind::read ? stats.reads : attempt.replayed ? stats.replayed : stats.acked);
      wrong = check_receipt(index, op, attempt);
      const Place* place = index.place_of(op, attempt);
      if (place != nullptr && !attempt.replayed && ++fresh[place] > 1) {
        wrong = named("I2: two attempts of one op were answered as the first", attempt.op);
      }
    } else if (attempt.refusal() != nullptr) {
      wrong = check_refusal(index, op, attempt);
    } else {
      ++stats.failed;
    }
    if (wrong) return wrong;
  }
  for (size_t op = 0; op < record.ops.size(); ++op) {
    if (!index.places_of_op[op].empty() && !maybe_done[op]) {
      return named("I3: there, but every attempt was told that it was not done", op);
    }
  }
  return std::nullopt;
}

/// I4: what was acknowledged before another op was asked stands before it.
Violation check_real_time(const Record& record, const LogIndex& index) {
  std::vector<Tick> asked(record.ops.size(), k_never);
  std::vector<Tick> acked(record.ops.size(), k_never);
  for (const Attempt& attempt : record.attempts) {
    asked[attempt.op] = std::min(asked[attempt.op], attempt.asked);
    if (attempt.receipt() == nullptr) continue;
    if (index.place_of(record.ops[attempt.op], attempt) == nullptr) continue;
    acked[attempt.op] = std::min(acked[attempt.op], attempt.answered);
  }
  std::array<std::map<size_t, size_t>, k_threads> ops_of;  // place -> op
  for (size_t op = 0; op < record.ops.size(); ++op) {
    const auto& places = index.places_of_op[op];
    if (places.size() == 1) ops_of[record.ops[op].thread][places.front()] = op;
  }
  for (const auto& in_order : ops_of) {
    Tick newest = 0;
    for (const auto& [place, op] : in_order) {
      if (acked[op] < newest) return named("I4: behind what began after it had ended", op);
      newest = std::max(newest, asked[op]);
    }
  }
  return std::nullopt;
}

/// I11, and nothing but what was kept is there, in order, once.
Violation check_stored(Stage& stage, const LogIndex& index) {
  for (size_t thread = 0; thread < k_threads; ++thread) {
    const ThreadLog& log = index.threads[thread];
    const Address& address = stage.address(thread);
    const auto stored = stage.journal.read_state(address.key, address.shard);
    if (stored.ok() != log.state.exists) return "a conversation is there, or not, unlike its log";
    if (!stored.ok()) continue;
    if (!(*stored == log.state)) return "I11: what is stored is not what its log gives";
    const MessageRange all{log.state.spans(address.shard), {1}, log.state.last_sequence};
    const auto messages = stage.journal.read_messages(all, {.count_max = 10'000});
    if (!messages.ok()) return "I14: a message that is shown is gone";
    const bool same =
        std::equal(messages->begin(), messages->end(), log.shown.begin(), log.shown.end(),
                   [](const Message& message, const auto& body) { return *message.body == body; });
    if (!same) return "I1: the messages stored are not those acknowledged, in order";
    stage.stats.incarnations += log.places.back().incarnation;
  }
  return std::nullopt;
}

bool same(const Event& one, const Event& other) {
  if (one.version != other.version || one.time != other.time) return false;
  if (one.dedup != other.dedup || one.body.index() != other.body.index()) return false;
  const auto* a = std::get_if<MessagesAppended>(&one.body);
  const auto* b = std::get_if<MessagesAppended>(&other.body);
  if (a == nullptr) return true;
  const auto equal = [](const AppendedMessage& x, const AppendedMessage& y) {
    return x.body == nullptr || y.body == nullptr || *x.body == *y.body;
  };
  return a->first == b->first && std::equal(a->messages.begin(), a->messages.end(),
                                            b->messages.begin(), b->messages.end(), equal);
}

/// I6, I10: each delivery is what follows in one life of the conversation, all of it durable.
Violation check_deliveries(const Record& record, const LogIndex& index, Stats& stats) {
  for (const Delivery& delivery : record.deliveries) {
    ++stats.deliveries;
    if (delivery.looked_back) ++stats.looked_back;
    const auto& places = index.threads[delivery.thread].places;
    const auto fits = [&](const Place& begin) {
      const auto* place = &begin;
      for (const Event& event : delivery.events) {
        if (place == &places.back() + 1 || place->event == nullptr) return false;
        if (place->incarnation != begin.incarnation || !same(*place->event, event)) return false;
        if (delivery.at < place->from) return false;
        if (!delivery.looked_back && delivery.at < place->told) return false;
        ++place;
      }
      return true;
    };
    const bool found = std::any_of(places.begin(), places.end(), [&](const Place& place) {
      return place.event != nullptr && place.event->version == delivery.after.next() && fits(place);
    });
    if (!found) {
      return "I6, I10: a watcher of conversation " + std::to_string(delivery.thread) +
             " was not given what follows version " + std::to_string(delivery.after.value);
    }
  }
  for (const Claim& claim : record.claims) {
    const auto& [thread, below, version, asked, answered] = claim;
    if (below ? index.was_below(thread, version, asked, answered)
              : index.was_at(thread, version, asked, answered)) {
      continue;
    }
    return "I6, I10: a watcher of conversation " + std::to_string(thread) +
           " was told that it is " + (below ? "below version " : "at version ") +
           std::to_string(version.value);
  }
  return std::nullopt;
}

}  // namespace

Violation check(Stage& stage) {
  LogIndex index;
  if (auto wrong = build_index(stage.record, index)) return wrong;
  if (auto wrong = check_answers(stage.record, index, stage.stats)) return wrong;
  if (auto wrong = check_real_time(stage.record, index)) return wrong;
  if (auto wrong = check_stored(stage, index)) return wrong;
  return check_deliveries(stage.record, index, stage.stats);
}

}  // namespace parley::schedule
