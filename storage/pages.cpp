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
  if (const auto* created = std::get_if<ConversationCreated>(&event.body)) {
    return k_overhead + created->metadata.size() + created->title.size() +
           created->source_json.size();
  }
  if (const auto* updated = std::get_if<ConversationUpdated>(&event.body)) {
    return k_overhead + updated->metadata.size() + updated->title.size();
  }
  return k_overhead;
}

MessageRange recent_range(const State& state, Shard own) {
  return {.spans = state.spans(own), .from = {1}, .to = state.last_sequence, .newest_first = true};
}

Status nothing_stored(const ConversationKey& key) {
  return absl::NotFoundError(
      absl::StrCat("conversation ", key.thread, ": nothing is stored; create it first"));
}

Status version_not_stored(const ConversationKey& key, Version asked, Version newest) {
  return absl::NotFoundError(absl::StrCat("conversation ", key.thread, ": version ", asked.value,
                                          " is not stored; ask for 1 to ", newest.value));
}

}  // namespace parley
