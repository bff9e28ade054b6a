#include "conversation/evolve.hpp"

#include <algorithm>

namespace parley {
namespace {

Sequence highest_shared(const Lineage& lineage) {
  Sequence highest;
  for (const auto& child : lineage.children) highest = std::max(highest, child.at);
  return highest;
}

/// A lineage that nobody shows any more: kept for its children, else its parent may be told.
void retire(State& state, Lineage lineage) {
  if (!lineage.children.empty()) {
    state.former.push_back(std::move(lineage));
  } else if (lineage.parent) {
    state.pending_releases.push_back(std::move(*lineage.parent));
  }
}

void clear_messages(State& state) {
  state.last_sequence = {};
  state.message_bytes = 0;
  state.totals = {};
  state.by_model.clear();
}

void count(State& state, const Charge& charge) {
  state.totals.add(charge);
  const bool known = state.by_model.contains(charge.model);
  const bool room = state.by_model.size() < k_models_counted_apart;
  state.by_model[known || room ? charge.model : k_other_models].add(charge);
}

void on(State& state, const ConversationCreated& created, const Event& event) {
  state.exists = true;
  state.user = created.user;
  state.title = created.title;
  state.metadata = created.metadata;
  state.labels = created.labels;
  state.policy = created.policy;
  state.lifecycle = Lifecycle::active;
  state.source_json = created.source_json;
  state.create_time = event.time;
  state.current = created.lineage;
  state.last_sequence = created.lineage.shared_through();
  state.origin = created.origin;
}

void on(State& state, const MessagesAppended& appended, const Event&) {
  state.last_sequence = {appended.first.value + appended.messages.size() - 1};
  state.message_bytes += appended.bytes;
  for (const auto& message : appended.messages) {
    if (message.charge) count(state, *message.charge);
  }
}

void on(State& state, const ConversationUpdated& updated, const Event&) {
  state.user = updated.user;
  state.title = updated.title;
  state.metadata = updated.metadata;
  state.labels = updated.labels;
  state.policy = updated.policy;
  state.lifecycle = updated.lifecycle;
}

void on(State& state, const UsageRecorded& recorded, const Event&) {
  count(state, recorded.charge);
}

void on(State& state, const ConversationReset& reset, const Event& event) {
  retire(state, std::move(state.current));
  clear_messages(state);
  state.current = reset.lineage;
  state.origin.reset();
  state.reset_version = event.version;
}

void on(State& state, const ForkNoted& noted, const Event&) {
  state.current.children.push_back(noted.child);
}

void on(State& state, const ForkReleased& released, const Event&) {
  const auto forget = [&](Lineage& lineage) {
    std::erase_if(lineage.children,
                  [&](const ForkChild& child) { return child.history == released.child_history; });
  };
  forget(state.current);
  for (auto& lineage : std::exchange(state.former, {})) {
    forget(lineage);
    retire(state, std::move(lineage));
  }
}

void on(State& state, const ReleaseConfirmed& confirmed, const Event&) {
  std::erase_if(state.pending_releases, [&](const ParentLink& link) {
    return link.child_history == confirmed.child_history;
  });
}

void on(State& state, const ConversationDeleted&, const Event&) {
  State rest;
  rest.policy = state.policy;  // how long the deletion's own request id is remembered
  rest.former = std::move(state.former);
  rest.pending_releases = std::move(state.pending_releases);
  retire(rest, std::move(state.current));
  state = std::move(rest);
}

void remember(State& state, const Event& event) {
  if (!event.dedup) return state.dedup.trim(state.policy.dedup_requests);  // it may have shrunk
  state.dedup.remember(*event.dedup, state.policy.dedup_requests);
}

}  // namespace

State evolve(State state, const Event& event) {
  evolve_in_place(state, event);
  return state;
}

void evolve_in_place(State& state, const Event& event) {
  std::visit([&](const auto& body) { on(state, body, event); }, event.body);
  // A deletion leaves version 0: the next conversation of that name starts at 1.
  if (state.exists) {
    state.version = event.version;
    state.last_activity = std::max(state.last_activity, event.time);
  }
  remember(state, event);
}

std::vector<HistoryDrop> drops_on_release(const State& state, const Id128& child_history) {
  for (const auto& lineage : state.former) {
    Lineage rest = lineage;
    std::erase_if(rest.children,
                  [&](const ForkChild& child) { return child.history == child_history; });
    if (rest.children.size() == lineage.children.size()) continue;
    if (highest_shared(rest) < highest_shared(lineage)) {
      return {{lineage.history, highest_shared(rest)}};
    }
  }
  return {};
}

std::vector<HistoryDrop> drops_on_abandoning_current(const State& state) {
  if (state.current.history.empty()) return {};
  return {{state.current.history, highest_shared(state.current)}};
}

}  // namespace parley
