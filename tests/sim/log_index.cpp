#include "tests/sim/log_index.hpp"

#include <algorithm>
#include <utility>

#include "conversation/evolve.hpp"
#include "conversation/invariants.hpp"

namespace parley::sim {
namespace {

/// Replays entries of all conversations in the order in which they became durable.
class Replay {
 public:
  Replay(const Evidence& evidence, LogIndex& index) : evidence_(evidence), index_(index) {
    index_.places_of_op.resize(evidence.history.ops.size());
  }

  std::optional<Violation> all() {
    struct Next {
      uint8_t thread;
      const LogEntry* entry;
    };
    std::vector<Next> entries;
    for (uint8_t thread = 0; thread < k_threads; ++thread) {
      for (const LogEntry& entry : evidence_.journal.log(thread))
        entries.push_back({thread, &entry});
    }
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Next& a, const Next& b) { return a.entry->order < b.entry->order; });
    for (const auto& [thread, entry] : entries) {
      if (auto wrong = step(thread, *entry)) return wrong;
    }
    return compare_with_storage();
  }

 private:
  std::optional<Violation> step(uint8_t thread, const LogEntry& entry) {
    ThreadIndex& of = index_.threads[thread];
    const Event& event = *entry.event;
    if (entry.epoch < newest_epoch_[shard_of(thread)] && !evidence_.without_fence) {
      return Violation{"I7", "an epoch went back in the log of " + thread_name(thread)};
    }
    newest_epoch_[shard_of(thread)] = entry.epoch;
    State after = evolve(of.state, event);
    if (auto wrong = check_step(of.state, event, after)) {
      return Violation{"I3", thread_name(thread) + ": " + *wrong};
    }
    Place place = of.places.back();
    place.op.reset();
    place.receipt.reset();
    place.appended.clear();
    place.durable = entry.durable;
    place.exists = after.exists;
    place.archived = after.lifecycle == Lifecycle::archived;
    place.version = after.version;
    place.history = after.current.history;
    if (event.dedup) place.receipt = event.dedup->receipt;
    if (auto wrong = follow_messages(of, place, event)) return wrong;
    place.op = op_of(event, place);
    const bool created = std::holds_alternative<ConversationCreated>(event.body);
    of.incarnation.push_back(of.incarnation.back() + (created ? 1 : 0));
    if (place.op) index_.places_of_op[*place.op].push_back(of.places.size());
    of.places.push_back(std::move(place));
    of.state = std::move(after);
    return std::nullopt;
  }

  std::optional<Violation> follow_messages(ThreadIndex& of, Place& place, const Event& event) {
    if (const auto* created = std::get_if<ConversationCreated>(&event.body)) {
      begin_run(of, place);
      if (!created->origin) return std::nullopt;
      const auto noted = noted_.find(created->lineage.history);
      if (noted == noted_.end()) return Violation{"I14", "a fork that no parent noted"};
      of.runs.back() = noted->second;
    } else if (const auto* appended = std::get_if<MessagesAppended>(&event.body)) {
      for (const auto& message : appended->messages) {
        place.appended.push_back(body_number(*message.body));
        of.runs.back().push_back(place.appended.back());
      }
    } else if (std::holds_alternative<ConversationReset>(event.body) ||
               std::holds_alternative<ConversationDeleted>(event.body)) {
      begin_run(of, place);
    } else if (const auto* noted = std::get_if<ForkNoted>(&event.body)) {
      const auto& run = of.runs.back();
      noted_[noted->child.history] = {run.begin(),
                                      run.begin() + static_cast<ptrdiff_t>(noted->child.at.value)};
    }
    if (!of.runs.empty()) place.messages = of.runs.back().size();
    return std::nullopt;
  }

  static void begin_run(ThreadIndex& of, Place& place) {
    of.runs.emplace_back();
    place.run = of.runs.size() - 1;
  }

  [[nodiscard]] std::optional<OpId> op_of(const Event& event, const Place& place) const {
    if (event.dedup) return static_cast<OpId>(number_of(event.dedup->request) - 1);
    if (!place.appended.empty()) return evidence_.history.op_of_body[place.appended.front()];
    return std::nullopt;
  }

  std::optional<Violation> compare_with_storage() {
    for (uint8_t thread = 0; thread < k_threads; ++thread) {
      if (!(index_.threads[thread].state == evidence_.reloaded[thread])) {
        return Violation{"I11",
                         "loading " + thread_name(thread) + " gives another state than replay"};
      }
    }
    return std::nullopt;
  }

  const Evidence& evidence_;
  LogIndex& index_;
  Epoch newest_epoch_[k_shards];
  std::map<Id128, std::vector<uint32_t>> noted_;  ///< what each fork shares
};

}  // namespace

std::optional<size_t> ThreadIndex::find(const Id128& history, Version version) const {
  for (size_t i = places.size(); i > 0; --i) {
    const Place& place = places[i - 1];
    if (place.exists && place.version == version && place.history == history) return i - 1;
  }
  return std::nullopt;
}

std::optional<size_t> LogIndex::place_of(const Op& op, const Attempt& attempt) const {
  for (const size_t at : places_of_op[attempt.op]) {
    const Place& place = threads[op.thread].places[at];
    const bool fits = place.receipt ? *place.receipt == attempt.receipt
                                    : place.version == attempt.receipt.version;
    if (fits) return at;
  }
  return std::nullopt;
}

std::optional<Violation> build_index(const Evidence& evidence, LogIndex& index) {
  return Replay(evidence, index).all();
}

}  // namespace parley::sim
