#include "storage/effects.hpp"

#include <algorithm>

namespace parley {
namespace {

struct Walk {
  Effects& effects;
  const Event& event;

  void operator()(const ConversationCreated& created) const {
    effects.after.history = created.lineage.history;
    effects.after.last_sequence = created.lineage.shared_through();
    effects.after.reset_version = {};
  }
  void operator()(const MessagesAppended& appended) const {
    Sequence sequence = appended.first;
    for (const auto& message : appended.messages) {
      effects.messages.push_back(
          {effects.after.history,
           {sequence, event.version, event.time, message.role, message.body}});
      effects.after.last_sequence = sequence;
      ++sequence.value;
    }
  }
  void operator()(const ConversationReset& reset) const {
    effects.after.history = reset.lineage.history;
    effects.after.last_sequence = {};
    effects.after.reset_version = event.version;
    effects.pending_releases_moved = true;
    drop(reset.drops);
  }
  void operator()(const ForkReleased& released) const {
    effects.pending_releases_moved = true;
    drop(released.drops);
  }
  void operator()(const ReleaseConfirmed&) const { effects.pending_releases_moved = true; }
  void operator()(const ConversationDeleted& deleted) const {
    effects.after = {};
    effects.pending_releases_moved = true;
    drop(deleted.drops);
  }
  void operator()(const ConversationUpdated&) const {}
  void operator()(const UsageRecorded&) const {}
  void operator()(const ForkNoted&) const {}

  void drop(const std::vector<HistoryDrop>& drops) const {
    effects.drops.insert(effects.drops.end(), drops.begin(), drops.end());
  }
};

}  // namespace

Head head_of(const State& state) {
  return {state.version, state.current.history, state.reset_version, state.last_sequence};
}

Effects effects_of(const Batch& batch, const Head& before) {
  Effects effects{.after = before};
  for (const Event& event : *batch.events) std::visit(Walk{effects, event}, event.body);
  effects.after.version = batch.after;
  if (batch.gone) effects.after = {};
  return effects;
}

TouchedHistories histories_of(const Batch& batch, const Id128& before) {
  TouchedHistories histories{before, {}};
  const auto note = [&](const std::vector<HistoryDrop>& drops) {
    for (const HistoryDrop& drop : drops) histories.touched.push_back(drop.history);
  };
  for (const Event& event : *batch.events) {
    if (const auto* created = std::get_if<ConversationCreated>(&event.body)) {
      histories.after = created->lineage.history;
    } else if (std::holds_alternative<MessagesAppended>(event.body)) {
      histories.touched.push_back(histories.after);
    } else if (const auto* reset = std::get_if<ConversationReset>(&event.body)) {
      histories.after = reset->lineage.history;
      note(reset->drops);
    } else if (const auto* released = std::get_if<ForkReleased>(&event.body)) {
      note(released->drops);
    } else if (const auto* deleted = std::get_if<ConversationDeleted>(&event.body)) {
      histories.after = {};
      note(deleted->drops);
    }
  }
  if (batch.gone) histories.after = {};
  return histories;
}

std::optional<Id128> last_request(const State& remains) {
  if (remains.dedup.empty()) return std::nullopt;
  return remains.dedup.at(remains.dedup.size() - 1).request;
}

}  // namespace parley
