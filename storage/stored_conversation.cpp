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

/// What a newer release wrote is not damaged.
Status undecodable(const ConversationKey& key, const Status& status) {
  return absl::IsFailedPrecondition(status)
             ? status
             : damaged_conversation(key, std::string(status.message()));
}

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
        return take_event(key.version);
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

  Status take_event(Version version) {
    if (at_ && version > *at_) {
      done_ = state_.version == *at_;
      return done_ ? absl::OkStatus() : gap(version);
    }
    if (version != state_.version.next()) return gap(version);
    auto event = decode_event(scan_.value());
    if (!event.ok()) return undecodable(key_, event.status());
    if (event->version != version) return gap(version);
    state_ = evolve(std::move(state_), *event);
    if (state_.version != version) return damaged_conversation(key_, "an event ends it");
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
  std::string seek_to_;
  bool done_ = false;
};

/// One history's part of a range of messages.
class PartScan {
 public:
  PartScan(const StoreView& view, const HistorySpan& part, bool newest_first)
      : part_(part),
        newest_first_(newest_first),
        scan_(view.scan(Family::messages,
                        {.begin = keys::message(part.shard, part.history, part.first),
                         .end = keys::message(part.shard, part.history, {part.last.value + 1}),
                         .within_prefix = true,
                         .fill_cache = true})) {}

  Status read_into(std::vector<Message>& messages, PageFill& fill) {
    if (newest_first_) {
      scan_.seek_last(keys::message(part_.shard, part_.history, part_.last));
    } else {
      scan_.seek(keys::message(part_.shard, part_.history, part_.first));
    }
    const uint64_t count = part_.last.value - part_.first.value + 1;
    for (uint64_t i = 0; i < count && !fill.full(); ++i) {
      const Sequence sequence{newest_first_ ? part_.last.value - i : part_.first.value + i};
      auto message = read(sequence);
      if (!message.ok()) return message.status();
      if (!fill.take(message->body->size())) return absl::OkStatus();
      messages.push_back(*std::move(message));
      newest_first_ ? scan_.previous() : scan_.next();
    }
    return absl::OkStatus();
  }

 private:
  Result<Message> read(Sequence sequence) {
    if (!scan_.valid()) {
      if (Status status = scan_.status(); !status.ok()) return status;
      return missing(sequence);
    }
    const auto key = keys::parse_message(scan_.key());
    if (!key || key->sequence != sequence) return missing(sequence);
    return decode_message(scan_.value(), sequence);
  }

  Status missing(Sequence sequence) const {
    return absl::DataLossError(absl::StrCat(
        "message ", sequence.value, " of history ", part_.history.hex(),
        " is missing; it was erased since, or stored bytes are damaged: read the conversation "
        "again, and restore a backup if it stays"));
  }

  const HistorySpan& part_;
  const bool newest_first_;
  StoreView::Scan scan_;
};

void fill_bodies(Event& event, const std::vector<Message>& messages) {
  auto* appended = std::get_if<MessagesAppended>(&event.body);
  if (appended == nullptr || messages.empty()) return;
  for (size_t i = 0; i < appended->messages.size() && i < messages.size(); ++i) {
    appended->messages[i].body = messages[i].body;
  }
}

/// An event's messages, where they are still kept.
Result<std::vector<Message>> messages_of(const StoreView& view, const Event& event, const Head& now,
                                         Shard shard) {
  const auto* appended = std::get_if<MessagesAppended>(&event.body);
  if (appended == nullptr || event.version < now.reset_version) return std::vector<Message>{};
  const Sequence last{appended->first.value + appended->messages.size() - 1};
  return read_stored_messages(
      view,
      {.spans = {{shard, now.history, appended->first, last}}, .from = appended->first, .to = last},
      {.count_max = appended->messages.size(), .bytes_max = SIZE_MAX});
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

Status damaged_conversation(const ConversationKey& key, std::string_view what) {
  return absl::DataLossError(absl::StrCat("conversation ", key.thread, " of tenant ", key.tenant,
                                          " is damaged (",
                                          absl::string_view(what.data(), what.size()),
                                          "); restore a backup, or delete the conversation"));
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
                                std::optional<Version> at) {
  return Fold(view, key, shard, at).run();
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
  EventList events;
  PageFill fill(bounds);
  Version version = after;
  for (scan.seek(keys::event(prefix, after.next())); scan.valid() && !fill.full(); scan.next()) {
    auto event = decode_event(scan.value());
    if (!event.ok()) return undecodable(key, event.status());
    if (event->version != version.next()) return damaged_conversation(key, "an event is missing");
    version = event->version;
    auto messages = messages_of(view, *event, now, shard);
    if (!messages.ok()) return messages.status();
    size_t bytes = rough_event_bytes(*event);
    for (const Message& message : *messages) bytes += message.body->size();
    fill_bodies(*event, *messages);
    if (fill.take(bytes)) events.push_back(*std::move(event));
  }
  if (!fill.full()) {
    if (Status status = scan.status(); !status.ok()) return status;
    if (version < now.version) return damaged_conversation(key, "its last events are missing");
  }
  return events;
}

Result<std::vector<Message>> read_stored_messages(const StoreView& view, const MessageRange& range,
                                                  PageBounds bounds) {
  std::vector<Message> messages;
  PageFill fill(bounds);
  for (const HistorySpan& part : parts_of(range)) {
    if (fill.full()) break;
    if (Status status = PartScan(view, part, range.newest_first).read_into(messages, fill);
        !status.ok()) {
      return status;
    }
  }
  return messages;
}

}  // namespace parley
