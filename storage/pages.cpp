#include "storage/pages.hpp"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace parley {

std::vector<HistorySpan> parts_of(const MessageRange& range) {
  std::vector<HistorySpan> parts;
  for (const HistorySpan& span : range.spans) {
    HistorySpan part = span;
    part.first = std::max(span.first, range.from);
    part.last = std::min(span.last, range.to);
    if (part.first <= part.last) parts.push_back(part);
  }
  if (range.newest_first) std::reverse(parts.begin(), parts.end());
  return parts;
}

bool PageFill::take(size_t bytes) {
  if (count_ >= bounds_.count_max || (count_ > 0 && bytes_ + bytes > bounds_.bytes_max)) {
    full_ = true;
    return false;
  }
  ++count_;
  bytes_ += bytes;
  full_ = count_ >= bounds_.count_max;
  return true;
}

size_t rough_event_bytes(const Event& event) {
  constexpr size_t k_overhead = 64;
  constexpr size_t k_dedup = 72;
  constexpr size_t k_charge = 64;
  constexpr size_t k_span = 40;
  const auto labels_bytes = [](const std::map<std::string, std::string>& labels) {
    size_t bytes = 0;
    for (const auto& [key, value] : labels) bytes += key.size() + value.size() + 6;
    return bytes;
  };
  size_t bytes = k_overhead + (event.dedup ? k_dedup : 0);
  if (const auto* created = std::get_if<ConversationCreated>(&event.body)) {
    bytes += created->metadata.size() + created->title.size() + created->source_json.size() +
             labels_bytes(created->labels) + created->lineage.past.size() * k_span;
  } else if (const auto* updated = std::get_if<ConversationUpdated>(&event.body)) {
    bytes += updated->metadata.size() + updated->title.size() + labels_bytes(updated->labels);
  } else if (const auto* appended = std::get_if<MessagesAppended>(&event.body)) {
    for (const AppendedMessage& message : appended->messages) {
      bytes += 1;
      if (!message.charge) continue;
      bytes += k_charge + message.charge->model.size() + message.charge->provider.size();
    }
  }
  return bytes;
}

MessageRange recent_range(const State& state, Shard own) {
  return {.spans = state.spans(own), .from = {1}, .to = state.last_sequence, .newest_first = true};
}

Status nothing_stored(const ConversationKey& key) {
  return absl::NotFoundError(
      absl::StrCat("conversation ", key.thread, ": nothing is stored; create it first"));
}

Status damaged_conversation(const ConversationKey& key, std::string_view what) {
  return absl::DataLossError(absl::StrCat("conversation ", key.thread, " of tenant ", key.tenant,
                                          " is damaged (",
                                          absl::string_view(what.data(), what.size()),
                                          "); restore a backup, or delete the conversation"));
}

Status undecodable(const ConversationKey& key, const Status& status) {
  return absl::IsFailedPrecondition(status)
             ? status
             : damaged_conversation(key, std::string(status.message()));
}

Status version_not_stored(const ConversationKey& key, Version asked, Version newest) {
  return absl::NotFoundError(absl::StrCat("conversation ", key.thread, ": version ", asked.value,
                                          " is not stored; ask for 1 to ", newest.value));
}

}  // namespace parley
