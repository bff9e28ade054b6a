#include "conversation/fork.hpp"

#include <algorithm>

namespace parley {
namespace {

/// The lineage's messages 1..at, as spans.
std::vector<HistorySpan> spans_through(const Lineage& lineage, Shard shard, Sequence at) {
  std::vector<HistorySpan> spans;
  for (HistorySpan span : lineage.past) {
    if (span.first > at) break;
    span.last = std::min(span.last, at);
    spans.push_back(span);
  }
  if (at > lineage.shared_through()) {
    spans.push_back({shard, lineage.history, {lineage.shared_through().value + 1}, at});
  }
  return spans;
}

}  // namespace

std::optional<ForkPoint> fork_point(const State& parent, const std::string& parent_thread,
                                    Shard parent_shard, const Id128& child_history) {
  const Lineage* lineage = parent.exists ? parent.lineage_of_child(child_history) : nullptr;
  if (lineage == nullptr) return std::nullopt;
  const auto child =
      std::find_if(lineage->children.begin(), lineage->children.end(),
                   [&](const ForkChild& candidate) { return candidate.history == child_history; });
  return ForkPoint{.origin = {parent_thread, child->at},
                   .parent = {parent_thread, child_history},
                   .past = spans_through(*lineage, parent_shard, child->at),
                   .user = parent.user,
                   .title = parent.title,
                   .metadata = parent.metadata,
                   .labels = parent.labels,
                   .policy = parent.policy};
}

}  // namespace parley
