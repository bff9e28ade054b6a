#include "tests/actors/schedule/log_index.hpp"

#include <algorithm>
#include <utility>

#include "conversation/evolve.hpp"
#include "conversation/invariants.hpp"

namespace parley::schedule {
namespace {

class Replay {
 public:
  Replay(const Record& record, LogIndex& index) : record_(record), index_(index) {
    index_.places_of_op.resize(record.ops.size());
    for (ThreadLog& log : index_.threads) log.places.emplace_back();
  }

  Violation all() {
    for (const Kept& kept : record_.kept) {
      for (const Event& event : *kept.events) {
        if (auto wrong = step(kept, event)) {
          return *wrong + " (conversation " + std::to_string(kept.thread) + ", version " +
                 std::to_string(event.version.value) + ")";
        }
      }
    }
    return std::nullopt;
  }

 private:
  Violation step(const Kept& kept, const Event& event) {
    ThreadLog& log = index_.threads[kept.thread];
    State after = evolve(log.state, event);
    if (auto wrong = check_step(log.state, event, after)) return "I3: " + *wrong;
    log.state = std::move(after);
    Place place{.version = log.state.exists ? event.version : Version{},
                .incarnation = log.places.back().incarnation,
                .from = kept.kept,
                .told = kept.told,
                .event = &event};
    if (std::holds_alternative<ConversationCreated>(event.body)) ++place.incarnation;
    if (event.dedup) place.receipt = event.dedup->receipt;
    log.places.back().until = kept.kept;
    log.places.push_back(place);
    if (auto wrong = follow_messages(log, event)) return wrong;
    return note_op(log, kept.thread, event);
  }

  Violation note_op(const ThreadLog& log, size_t thread, const Event& event) {
    const auto* appended = std::get_if<MessagesAppended>(&event.body);
    size_t op = 0;
    if (appended != nullptr) {
      op = std::stoul(*appended->messages.front().body);
    } else if (event.dedup) {
      op = op_of_request(event.dedup->request);
    } else {
      return std::nullopt;
    }
    const Op& asked = record_.ops[op];
    if (asked.thread != thread) return "an op stands in another conversation than asked";
    if (event.dedup && op_of_request(event.dedup->request) != op) {
      return "a request id stands with another op's messages";
    }
    if (asked.with_request != event.dedup.has_value()) return "I2: a request id is not remembered";
    if (appended != nullptr && appended->messages.size() != asked.bodies) {
      return "I3: an append is not whole";
    }
    auto& places = index_.places_of_op[op];
    const size_t here = log.places.size() - 1;
    if (!places.empty() && (!asked.with_request || log.places[places.back()].incarnation ==
                                                       log.places[here].incarnation)) {
      return "I2: op " + std::to_string(op) + " was carried out twice";
    }
    places.push_back(here);
    return std::nullopt;
  }

  Violation follow_messages(ThreadLog& log, const Event& event) {
    if (const auto* created = std::get_if<ConversationCreated>(&event.body)) {
      log.shown.clear();
      if (!created->origin) return std::nullopt;
      const auto noted = noted_.find(created->lineage.history);
      if (noted == noted_.end()) return "a fork that no parent noted";
      log.shown = noted->second;
    } else if (const auto* appended = std::get_if<MessagesAppended>(&event.body)) {
      for (const auto& message : appended->messages) log.shown.push_back(*message.body);
    } else if (std::holds_alternative<ConversationReset>(event.body) ||
               std::holds_alternative<ConversationDeleted>(event.body)) {
      log.shown.clear();
    } else if (const auto* noted = std::get_if<ForkNoted>(&event.body)) {
      noted_[noted->child.history] = {
          log.shown.begin(), log.shown.begin() + static_cast<ptrdiff_t>(noted->child.at.value)};
    }
    return std::nullopt;
  }

  const Record& record_;
  LogIndex& index_;
  std::map<Id128, std::vector<std::string>> noted_;  ///< what each fork shares
};

}  // namespace

const Place* LogIndex::place_of(const Op& op, const Attempt& attempt) const {
  const Receipt& receipt = *attempt.receipt();
  const Place* found = nullptr;
  for (const size_t at : places_of_op[attempt.op]) {
    const Place& place = threads[op.thread].places[at];
    const auto* appended = std::get_if<MessagesAppended>(&place.event->body);
    const bool fits = place.receipt
                          ? *place.receipt == receipt
                          : appended != nullptr && receipt.version == place.event->version &&
                                receipt.first == appended->first &&
                                receipt.last.value == appended->first.value + op.bodies - 1;
    if (!fits) continue;
    // Why: lives of a conversation resemble one another, so receipts alone may fit in several.
    const bool in_time =
        place.from <= attempt.answered && (attempt.replayed || place.from >= attempt.asked);
    if (in_time || found == nullptr) found = &place;
  }
  return found;
}

bool LogIndex::was_at(size_t thread, Version version, Tick from, Tick to) const {
  const auto& places = threads[thread].places;
  return std::any_of(places.begin(), places.end(), [&](const Place& place) {
    return place.version == version && place.from <= to && place.until >= from;
  });
}

bool LogIndex::was_below(size_t thread, Version version, Tick from, Tick to) const {
  const auto& places = threads[thread].places;
  return std::any_of(places.begin(), places.end(), [&](const Place& place) {
    return place.version < version && place.from <= to && place.until >= from;
  });
}

Violation build_index(const Record& record, LogIndex& index) { return Replay(record, index).all(); }

}  // namespace parley::schedule
