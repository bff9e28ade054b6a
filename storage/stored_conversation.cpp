#include "storage/stored_conversation.hpp"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "conversation/evolve.hpp"
#include "storage/bytes.hpp"
#include "storage/codec.hpp"
#include "storage/keys.hpp"
#include "storage/pages.hpp"

namespace parley {
namespace {

constexpr uint8_t k_head_schema = 1;

/// A conversation being read in the order of its keys: remains, snapshot, events, head.
class Fold {
 public:
  Fold(const StoreView& view, const ConversationKey& key, Shard shard, std::optional<Version> at)
      : key_(key),
        at_(at),
        prefix_(keys::conversation(shard, key)),
        scan_(view.scan(Family::state, {.begin = prefix_,
                                        .end = keys::end_of(prefix_),
                                        .within_prefix = true,
                                        .fill_cache = true})) {}

  Result<State> run() {
    for (scan_.seek(prefix_); scan_.valid(); step()) {
      const auto key = keys::parse_state(scan_.key());
      if (!key) return damaged_conversation(key_, "a key that cannot be read");
      if (Status status = take(*key); !status.ok()) return status;
      if (done_) return std::move(state_);
    }
    if (Status status = scan_.status(); !status.ok()) return status;
    if (state_.exists) return damaged_conversation(key_, "its end is missing");
    if (at_) return version_not_stored(key_, *at_, {});
    return std::move(state_);
  }
  [[nodiscard]] uint64_t events() const { return events_; }

 private:
  void step() {
    if (!seek_to_.empty()) {
      scan_.seek(seek_to_);
      seek_to_.clear();
    } else {
      scan_.next();
    }
  }

  Status take(const keys::StateKey& key) {
    switch (key.part) {
      case keys::Part::remains:
        return take_state(Version{});
      case keys::Part::snapshot:
        return take_state(std::nullopt);
      case keys::Part::event:
        return take_events(key.version);
      case keys::Part::head:
        return take_head();
    }
    return absl::OkStatus();
  }

  Status take_state(std::optional<Version> expected) {
    auto state = decode_state(scan_.value());
    if (!state.ok()) return undecodable(key_, state.status());
    if (expected && state->version != *expected) {
      return damaged_conversation(key_, "what is left of it has a version");
    }
    if (at_ && state->version > *at_) return absl::OkStatus();
    state_ = *std::move(state);
    // Most events lie behind the snapshot: a few are skipped faster than sought.
    if (state_.version.value > 0) seek_to_ = keys::event(prefix_, state_.version.next());
    return absl::OkStatus();
  }

  /// `last` is the version that the key says.
  Status take_events(Version last) {
    const auto events = decode_events(scan_.value());
    if (!events.ok()) return undecodable(key_, events.status());
    if (events->back().version != last) return gap(last);
    for (const Event& event : *events) {
      // A snapshot may lie within the row.
      if (event.version <= state_.version) continue;
      if (at_ && event.version > *at_) {
        done_ = state_.version == *at_;
        return done_ ? absl::OkStatus() : gap(event.version);
      }
      if (event.version != state_.version.next()) return gap(event.version);
      evolve_in_place(state_, event);
      ++events_;
      if (state_.version != event.version) return damaged_conversation(key_, "an event ends it");
    }
    return absl::OkStatus();
  }

  Status take_head() {
    const auto row = decode_head(scan_.value());
    if (!row.ok()) return undecodable(key_, row.status());
    if (at_ && *at_ > row->head.version) return version_not_stored(key_, *at_, row->head.version);
    const bool whole = at_ ? state_.version == *at_ : row->head == head_of(state_);
    if (!whole) {
      return damaged_conversation(
          key_, absl::StrCat("it ends at version ", state_.version.value, " instead of ",
                             at_.value_or(row->head.version).value));
    }
    done_ = true;
    return absl::OkStatus();
  }

  Status gap(Version version) const {
    return damaged_conversation(
        key_, absl::StrCat("version ", version.value, " follows on ", state_.version.value));
  }

  const ConversationKey& key_;
  const std::optional<Version> at_;
  const std::string prefix_;
  StoreView::Scan scan_;
  State state_;
  uint64_t events_ = 0;  ///< after the snapshot
  std::string seek_to_;
  bool done_ = false;
};

/// Puts the bodies into an event's messages, where they are still kept.
Status fill_bodies(Event& event, Version reset, HistoryReader& history) {
  auto* appended = std::get_if<MessagesAppended>(&event.body);
  if (appended == nullptr || event.version < reset) return absl::OkStatus();
  Sequence sequence = appended->first;
  for (AppendedMessage& each : appended->messages) {
    auto message = history.at(sequence);
    if (!message.ok()) return message.status();
    each.body = std::move(message->body);
    ++sequence.value;
  }
  return absl::OkStatus();
}

size_t rough_bytes(const Event& event, Version reset) {
  const auto* appended = std::get_if<MessagesAppended>(&event.body);
  const bool bodies = appended != nullptr && event.version >= reset;
  return rough_event_bytes(event) + (bodies ? appended->bytes : 0);
}

}  // namespace

std::string encode_head(const HeadRow& row) {
  std::string out;
  put_big<uint8_t>(out, k_head_schema);
  put_big<uint64_t>(out, row.head.version.value);
  out.append(row.head.history.view());
  put_big<uint64_t>(out, row.head.reset_version.value);
  put_big<uint64_t>(out, row.head.last_sequence.value);
  put_big<uint64_t>(out, row.snapshot.value);
  return out;
}

Result<HeadRow> decode_head(std::string_view bytes) {
  constexpr size_t k_size = 1 + 4 * sizeof(uint64_t) + 16;
  const auto schema = take_big<uint8_t>(bytes);
  if (!schema || *schema == 0) return absl::DataLossError("its head cannot be read");
  if (*schema > k_head_schema) {
    return absl::FailedPreconditionError("its head was written by a newer release; use that one");
  }
  if (bytes.size() + 1 != k_size) return absl::DataLossError("its head cannot be read");
  HeadRow row;
  row.head.version = {*take_big<uint64_t>(bytes)};
  row.head.history = Id128::from_bytes(bytes.substr(0, 16));
  bytes.remove_prefix(16);
  row.head.reset_version = {*take_big<uint64_t>(bytes)};
  row.head.last_sequence = {*take_big<uint64_t>(bytes)};
  row.snapshot = {*take_big<uint64_t>(bytes)};
  return row;
}

Result<std::optional<HeadRow>> read_head(const StoreView& view, const ConversationKey& key,
                                         Shard shard) {
  auto value = view.get(Family::state, keys::head(keys::conversation(shard, key)));
  if (!value.ok()) return value.status();
  if (!*value) return std::nullopt;
  auto row = decode_head(**value);
  if (!row.ok()) return undecodable(key, row.status());
  return *row;
}

Result<State> read_stored_state(const StoreView& view, const ConversationKey& key, Shard shard,
                                std::optional<Version> at, uint64_t* events) {
  Fold fold(view, key, shard, at);
  auto state = fold.run();
  if (events != nullptr) *events = fold.events();
  return state;
}

Result<State> read_remains(const StoreView& view, const ConversationKey& key, Shard shard) {
  auto value = view.get(Family::state, keys::remains(keys::conversation(shard, key)));
  if (!value.ok()) return value.status();
  if (!*value) return State{};
  auto state = decode_state(**value);
  if (!state.ok()) return undecodable(key, state.status());
  return state;
}

Result<EventList> read_stored_events(const StoreView& view, const ConversationKey& key, Shard shard,
                                     const Head& now, Version after, PageBounds bounds) {
  const std::string prefix = keys::conversation(shard, key);
  auto scan = view.scan(Family::state, {.begin = keys::event(prefix, after.next()),
                                        .end = keys::head(prefix),
                                        .within_prefix = true,
                                        .fill_cache = true});
  HistoryReader history(view, shard, now.history);
  EventList events;
  PageFill fill(bounds);
  Version version = after;
  for (scan.seek(keys::event(prefix, after.next())); scan.valid() && !fill.full(); scan.next()) {
    auto row = decode_events(scan.value());
    if (!row.ok()) return undecodable(key, row.status());
    for (Event& event : *row) {
      if (event.version <= after) continue;
      if (event.version != version.next()) return damaged_conversation(key, "an event is missing");
      if (!fill.take(rough_bytes(event, now.reset_version))) break;
      if (Status status = fill_bodies(event, now.reset_version, history); !status.ok()) {
        return status;
      }
      version = event.version;
      events.push_back(std::move(event));
      if (fill.full()) break;
    }
  }
  if (!fill.full()) {
    if (Status status = scan.status(); !status.ok()) return status;
    if (version < now.version) return damaged_conversation(key, "its last events are missing");
  }
  return events;
}

HistoryReader::HistoryReader(const StoreView& view, Shard shard, const Id128& history)
    : shard_(shard),
      history_(history),
      scan_(view.scan(Family::messages, {.begin = keys::message(shard, history, {1}),
                                         .end = keys::end_of(keys::history(shard, history)),
                                         .within_prefix = true,
                                         .fill_cache = true})) {}

Result<Message> HistoryReader::at(Sequence sequence) {
  if (!holds(sequence)) {
    if (Status status = turn_to(sequence); !status.ok()) return status;
  }
  return row_[sequence.value - row_.front().sequence.value];
}

bool HistoryReader::holds(Sequence sequence) const {
  return !row_.empty() && row_.front().sequence <= sequence && sequence <= row_.back().sequence;
}

/// Rows lie under their last sequence, so that one that holds a message is the first from it on.
Status HistoryReader::turn_to(Sequence sequence) {
  if (!row_.empty() && sequence == row_.back().sequence.next()) {
    scan_.next();
  } else if (!row_.empty() && sequence.next() == row_.front().sequence) {
    scan_.previous();
  } else {
    scan_.seek(keys::message(shard_, history_, sequence));
  }
  row_.clear();
  if (!scan_.valid()) {
    if (Status status = scan_.status(); !status.ok()) return status;
    return missing(sequence);
  }
  const auto key = keys::parse_message(scan_.key());
  if (!key) return missing(sequence);
  auto row = decode_messages(scan_.value(), key->sequence);
  if (!row.ok()) return row.status();
  row_ = *std::move(row);
  return holds(sequence) ? absl::OkStatus() : missing(sequence);
}

Status HistoryReader::missing(Sequence sequence) const {
  return absl::DataLossError(absl::StrCat(
      "message ", sequence.value, " of history ", history_.hex(),
      " is missing; it was erased since, or stored bytes are damaged: read the conversation again, "
      "and restore a backup if it stays"));
}

Status read_stored_part(const StoreView& view, const HistorySpan& part, bool newest_first,
                        std::vector<Message>& messages, PageFill& fill) {
  HistoryReader history(view, part.shard, part.history);
  const uint64_t count = part.last.value - part.first.value + 1;
  for (uint64_t i = 0; i < count && !fill.full(); ++i) {
    auto message = history.at({newest_first ? part.last.value - i : part.first.value + i});
    if (!message.ok()) return message.status();
    if (fill.take(message->body->size())) messages.push_back(*std::move(message));
  }
  return absl::OkStatus();
}

Result<std::vector<Message>> read_stored_messages(const StoreView& view, const MessageRange& range,
                                                  PageBounds bounds) {
  std::vector<Message> messages;
  PageFill fill(bounds);
  for (const HistorySpan& part : parts_of(range)) {
    if (fill.full()) break;
    Status status = read_stored_part(view, part, range.newest_first, messages, fill);
    if (!status.ok()) return status;
  }
  return messages;
}

}  // namespace parley
