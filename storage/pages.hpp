#pragma once

#include <string_view>
#include <vector>

#include "storage/journal.hpp"

/// How pages of messages and events are filled. The same for every journal.
namespace parley {

/// What of the range each history holds, in the order in which it is asked for.
std::vector<HistorySpan> parts_of(const MessageRange& range);

/// Counts what goes into an answer. The first item always fits.
class PageFill {
 public:
  explicit PageFill(PageBounds bounds) : bounds_(bounds) {}
  /// True, and counted, if it still fits.
  bool take(size_t bytes);
  [[nodiscard]] bool full() const { return full_; }
  [[nodiscard]] size_t room() const { return bounds_.count_max - count_; }

 private:
  PageBounds bounds_;
  size_t count_ = 0;
  size_t bytes_ = 0;
  bool full_ = false;
};

/// A rough size of an event without its messages, for bounds.
size_t rough_event_bytes(const Event& event);

/// The range that a fresh activation reads: the last messages, newest first.
MessageRange recent_range(const State& state, Shard own);

/// Errors that several journals answer with the same words.
Status nothing_stored(const ConversationKey& key);
/// Of whatever touches a damaged conversation.
Status damaged_conversation(const ConversationKey& key, std::string_view what);
/// Of what could not be decoded: what a newer release wrote is not damaged.
Status undecodable(const ConversationKey& key, const Status& status);
Status version_not_stored(const ConversationKey& key, Version asked, Version newest);

}  // namespace parley
