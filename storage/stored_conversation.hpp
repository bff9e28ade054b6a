#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/effects.hpp"
#include "storage/rocks_store.hpp"

/// Reading conversations out of the local store, with every check that costs nothing: versions and
/// sequences without gaps, and the end where the head says it is. Damage is DATA_LOSS.
namespace parley {

class PageFill;

/// The head as it is stored. There is one exactly where the conversation exists.
struct HeadRow {
  Head head;
  Version snapshot;  ///< of the snapshot that is stored, 0 if none
  bool operator==(const HeadRow&) const = default;
};
std::string encode_head(const HeadRow& row);
Result<HeadRow> decode_head(std::string_view bytes);

/// The messages of one history, read a row at a time: neighbours of the last one asked for are
/// cheap.
///
/// On the stack of whoever reads; outlived by its view. One thread.
class HistoryReader {
 public:
  HistoryReader(const StoreView& view, Shard shard, const Id128& history);
  /// DATA_LOSS where it is missing or damaged.
  Result<Message> at(Sequence sequence);
  /// All of the row that holds what was asked for last; rows are erased and rewritten whole.
  [[nodiscard]] const std::vector<Message>& row() const { return row_; }

 private:
  [[nodiscard]] bool holds(Sequence sequence) const;
  Status turn_to(Sequence sequence);
  [[nodiscard]] Status missing(Sequence sequence) const;

  const Shard shard_;
  const Id128 history_;
  StoreView::Scan scan_;
  std::vector<Message> row_;
};

Result<std::optional<HeadRow>> read_head(const StoreView& view, const ConversationKey& key,
                                         Shard shard);

/// The state as stored, or as of a version up to the newest. `State{}` where nothing is stored.
/// Counts the events that were read after the snapshot, where asked to.
Result<State> read_stored_state(const StoreView& view, const ConversationKey& key, Shard shard,
                                std::optional<Version> at = {}, uint64_t* events = nullptr);

/// What was left when the present incarnation began, or what is left of the last one.
Result<State> read_remains(const StoreView& view, const ConversationKey& key, Shard shard);

Result<EventList> read_stored_events(const StoreView& view, const ConversationKey& key, Shard shard,
                                     const Head& now, Version after, PageBounds bounds);

/// One part of a range, as much as still fits, behind what there is of `messages`.
Status read_stored_part(const StoreView& view, const HistorySpan& part, bool newest_first,
                        std::vector<Message>& messages, PageFill& fill);
Result<std::vector<Message>> read_stored_messages(const StoreView& view, const MessageRange& range,
                                                  PageBounds bounds);

}  // namespace parley
