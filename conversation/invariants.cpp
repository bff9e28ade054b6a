#include "conversation/invariants.hpp"

#include <set>

namespace parley {
namespace {

std::optional<std::string> check_lineage(const Lineage& lineage) {
  uint64_t next = 1;
  for (const auto& span : lineage.past) {
    if (span.first.value != next) return "shared past has a gap before " + std::to_string(next);
    if (span.last < span.first) return "an empty span in the shared past";
    next = span.last.value + 1;
  }
  if (!lineage.past.empty() && !lineage.parent) return "a shared past without a parent to keep it";
  std::set<Id128> children;
  for (const auto& child : lineage.children) {
    if (!children.insert(child.history).second) return "the same child twice";
  }
  return std::nullopt;
}

std::optional<std::string> check_gone(const State& state) {
  if (state.version != Version{0}) return "gone, but with a version";
  if (state.last_sequence != Sequence{0} || state.message_bytes != 0)
    return "gone, but with messages";
  if (!state.user.empty() || !state.title.empty() || !state.metadata.empty() ||
      !state.labels.empty() || !state.by_model.empty() || !state.source_json.empty()) {
    return "gone, but with content";
  }
  return std::nullopt;
}

std::optional<std::string> check_live(const State& state) {
  if (state.version == Version{0}) return "exists at version 0";
  if (state.current.history.empty()) return "exists without a history";
  if (state.last_sequence < state.current.shared_through()) return "shares more than it shows";
  if (state.reset_version > state.version) return "reset in the future";
  if (state.last_activity < state.create_time) return "active before it was created";
  return check_lineage(state.current);
}

}  // namespace

std::optional<std::string> check_state(const State& state) {
  for (const auto& lineage : state.former) {
    if (lineage.children.empty()) return "a former lineage that nobody needs";
    if (auto wrong = check_lineage(lineage)) return wrong;
  }
  if (state.policy.dedup_requests > 0 && state.dedup.size() > state.policy.dedup_requests) {
    return "remembers more requests than its policy says";
  }
  return state.exists ? check_live(state) : check_gone(state);
}

std::optional<std::string> check_step(const State& before, const Event& event, const State& after) {
  if (event.version != before.version.next())
    return "I3: version " + std::to_string(event.version.value) + " after " +
           std::to_string(before.version.value);
  if (after.exists && after.version != event.version)
    return "I3: the event did not set the version";
  if (const auto* appended = std::get_if<MessagesAppended>(&event.body)) {
    if (appended->messages.empty()) return "I3: an append of nothing";
    if (appended->first.value != before.last_sequence.value + 1) return "I3: sequence has a gap";
    if (after.last_sequence.value != before.last_sequence.value + appended->messages.size()) {
      return "I3: sequence does not follow the messages";
    }
  }
  if (before.exists && after.exists && after.last_activity < before.last_activity) {
    return "I4: activity went back in time";
  }
  if (event.dedup && !after.dedup.find(event.dedup->request)) {
    return "I2: a request was not remembered with its event";
  }
  return check_state(after);
}

}  // namespace parley
