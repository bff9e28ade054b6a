#include "storage/memory_bytes.hpp"

namespace parley {
namespace {

/// What an allocation takes beside what was asked for, shared counts included.
constexpr size_t k_allocation = 32;
constexpr size_t k_map_node = 96;

size_t memory_bytes(const Lineage& lineage) {
  size_t bytes = sizeof(Lineage) + lineage.past.size() * sizeof(HistorySpan);
  for (const ForkChild& child : lineage.children) bytes += sizeof(ForkChild) + child.thread.size();
  return bytes;
}

size_t memory_bytes(const std::map<std::string, std::string>& labels) {
  size_t bytes = 0;
  for (const auto& [key, value] : labels) bytes += k_map_node + key.size() + value.size();
  return bytes;
}

size_t memory_bytes(const IndexRow& row) { return row.user.size() + memory_bytes(row.labels); }

size_t memory_bytes(const MessagesAppended& appended) {
  size_t bytes = 0;
  for (const AppendedMessage& message : appended.messages) {
    bytes += sizeof(AppendedMessage) + (message.charge ? sizeof(Charge) : 0);
    if (message.body) bytes += sizeof(std::string) + message.body->size() + 2 * k_allocation;
  }
  return bytes;
}

size_t memory_bytes(const Event& event) {
  size_t bytes = sizeof(Event);
  if (const auto* appended = std::get_if<MessagesAppended>(&event.body)) {
    bytes += memory_bytes(*appended);
  } else if (const auto* created = std::get_if<ConversationCreated>(&event.body)) {
    bytes += created->metadata.size() + created->title.size() + created->source_json.size() +
             memory_bytes(created->labels) + memory_bytes(created->lineage);
  } else if (const auto* updated = std::get_if<ConversationUpdated>(&event.body)) {
    bytes += updated->metadata.size() + updated->title.size() + memory_bytes(updated->labels);
  }
  return bytes;
}

}  // namespace

size_t memory_bytes(const State& state) {
  size_t bytes = sizeof(State) + k_allocation + state.metadata.size() + state.title.size() +
                 state.source_json.size() + state.dedup.memory_bytes() +
                 memory_bytes(state.labels) + memory_bytes(state.current) +
                 state.by_model.size() * (k_map_node + sizeof(Totals));
  for (const Lineage& lineage : state.former) bytes += memory_bytes(lineage);
  return bytes;
}

size_t memory_bytes(const Commit& commit) {
  const Batch& batch = commit.batch;
  size_t bytes = sizeof(Commit) + k_allocation;
  for (const Event& event : *batch.events) bytes += memory_bytes(event);
  for (const auto* row : {&batch.index_before, &batch.index_after}) {
    if (*row) bytes += memory_bytes(**row);
  }
  if (batch.snapshot) bytes += memory_bytes(*batch.snapshot);
  return bytes;
}

}  // namespace parley
