#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/log.hpp"
#include "storage/applier.hpp"
#include "storage/damage.hpp"
#include "storage/foreign_histories.hpp"
#include "storage/heads.hpp"
#include "storage/keys.hpp"
#include "storage/local_journal.hpp"
#include "storage/pages.hpp"
#include "storage/stored_conversation.hpp"

/// The local journal's reads: wait for what is committed but not applied yet, then read one view.
namespace parley {

Status LocalJournal::check_undamaged(const ConversationKey& key, uint64_t hash) const {
  if (!damage_->marked(hash)) return absl::OkStatus();
  return damaged_conversation(key, "records of it in the log were damaged");
}

Status LocalJournal::await(const ConversationKey&, uint64_t hash) {
  return applier_->wait_for(std::span(&hash, 1));
}

Status LocalJournal::note(const ConversationKey&, uint64_t hash, Status status) {
  if (absl::IsDataLoss(status)) damage_->saw(hash);
  return status;
}

Result<Loaded> LocalJournal::load(const ConversationKey& key, Shard shard) {
  const uint64_t hash = key_hash(key);
  std::vector<Message> recent;
  uint64_t events = 0;
  auto state = heads_->load(key, shard, [&]() -> Result<State> {
    if (Status status = await(key, hash); !status.ok()) return status;
    if (Status status = check_undamaged(key, hash); !status.ok()) return status;
    const StoreView view(*store_);
    auto read = read_stored_state(view, key, shard, {}, &events);
    if (!read.ok()) return note(key, hash, read.status());
    const size_t window = read->policy.hot_window_messages;
    recent.clear();
    if (read->last_sequence.value == 0 || window == 0) return read;
    auto messages = read_recent(*read, shard);
    if (!messages.ok()) return note(key, hash, messages.status());
    recent.assign(std::make_move_iterator(messages->rbegin()),
                  std::make_move_iterator(messages->rend()));
    return read;
  });
  if (!state.ok()) return state.status();
  return Loaded{*std::move(state), std::move(recent), events};
}

Result<State> LocalJournal::read_state(const ConversationKey& key, Shard shard) {
  return while_here(shard, [&]() -> Result<State> {
    const uint64_t hash = key_hash(key);
    if (Status status = await(key, hash); !status.ok()) return status;
    if (Status status = check_undamaged(key, hash); !status.ok()) return status;
    auto state = read_stored_state(StoreView(*store_), key, shard);
    if (!state.ok()) return note(key, hash, state.status());
    if (!state->exists) return nothing_stored(key);
    return state;
  });
}

Result<State> LocalJournal::read_state_at(const ConversationKey& key, Shard shard,
                                          Version version) {
  return while_here(shard, [&]() -> Result<State> {
    const uint64_t hash = key_hash(key);
    if (Status status = await(key, hash); !status.ok()) return status;
    if (Status status = check_undamaged(key, hash); !status.ok()) return status;
    const StoreView view(*store_);
    const auto head = read_head(view, key, shard);
    if (!head.ok()) return note(key, hash, head.status());
    if (!*head) return nothing_stored(key);
    const Version newest = (*head)->head.version;
    if (version.value == 0 || version > newest) return version_not_stored(key, version, newest);
    auto state = read_stored_state(view, key, shard, version);
    if (!state.ok()) return note(key, hash, state.status());
    return state;
  });
}

Result<EventList> LocalJournal::read_events(const ConversationKey& key, Shard shard, Version after,
                                            PageBounds bounds) {
  return while_here(shard, [&]() -> Result<EventList> {
    const uint64_t hash = key_hash(key);
    if (Status status = await(key, hash); !status.ok()) return status;
    if (Status status = check_undamaged(key, hash); !status.ok()) return status;
    const StoreView view(*store_);
    const auto head = read_head(view, key, shard);
    if (!head.ok()) return note(key, hash, head.status());
    if (!*head) return nothing_stored(key);
    auto events = read_stored_events(view, key, shard, (*head)->head, after, bounds);
    if (!events.ok()) return note(key, hash, events.status());
    return events;
  });
}

Status LocalJournal::passed_on() {
  return absl::AbortedError("the shard has just passed on to another node; try again");
}

bool LocalJournal::elsewhere(Shard shard) const {
  const ForeignHistories* foreign = foreign_;
  return foreign != nullptr && foreign->elsewhere(shard);
}

/// A fresh activation does not wait for other nodes: its window holds what of the newest is here.
MessageRange LocalJournal::recent_here(const State& state, Shard shard) const {
  MessageRange range = recent_range(state, shard);
  const auto last_elsewhere =
      std::find_if(range.spans.rbegin(), range.spans.rend(),
                   [&](const HistorySpan& span) { return elsewhere(span.shard); });
  range.spans.erase(range.spans.begin(), last_elsewhere.base());
  return range;
}

/// A shard that messages are shared with may come here or leave meanwhile.
Result<std::vector<Message>> LocalJournal::read_recent(const State& state, Shard shard) {
  const PageBounds bounds{.count_max = state.policy.hot_window_messages,
                          .bytes_max = options_.limits.hot_window_bytes};
  const auto epochs_of = [this](const MessageRange& range) {
    std::vector<Epoch> epochs;
    for (const HistorySpan& span : range.spans) epochs.push_back(epoch(span.shard));
    return epochs;
  };
  while (true) {
    const MessageRange range = recent_here(state, shard);
    const auto before = epochs_of(range);
    auto messages = read_stored_messages(StoreView(*store_), range, bounds);
    if (messages.ok() || epochs_of(recent_here(state, shard)) == before) return messages;
  }
}

Result<std::vector<Message>> LocalJournal::read_across(const MessageRange& range,
                                                       PageBounds bounds) {
  std::vector<Message> messages;
  PageFill fill(bounds);
  for (const HistorySpan& part : parts_of(range)) {
    if (fill.full()) break;
    const auto read_here = [&]() -> Status {
      return read_stored_part(StoreView(*store_), part, range.newest_first, messages, fill);
    };
    Status status = elsewhere(part.shard)
                        ? read_elsewhere(part, range.newest_first, bounds, messages, fill)
                        : while_here(part.shard, read_here);
    if (!status.ok()) return status;
  }
  return messages;
}

Status LocalJournal::read_elsewhere(HistorySpan part, bool newest_first, PageBounds bounds,
                                    std::vector<Message>& messages, PageFill& fill) {
  while (part.first <= part.last && !fill.full()) {
    auto read = foreign_.load()->read(part, newest_first, {fill.room(), bounds.bytes_max});
    if (!read.ok()) return read.status();
    if (read->empty()) return absl::InternalError("another node sent no message of a history");
    for (Message& message : *read) {
      if (!fill.take(message.body->size())) return absl::OkStatus();
      if (newest_first) {
        part.last = {message.sequence.value - 1};
      } else {
        part.first = message.sequence.next();
      }
      messages.push_back(std::move(message));
    }
  }
  return absl::OkStatus();
}

Result<std::vector<Message>> LocalJournal::read_messages(const MessageRange& range,
                                                         PageBounds bounds) {
  std::vector<uint64_t> hashes;
  for (const HistorySpan& part : parts_of(range)) {
    hashes.push_back(Heads::history_key(part.history));
  }
  if (Status status = applier_->wait_for(hashes); !status.ok()) return status;
  auto messages = read_across(range, bounds);
  // Which conversation it was is not known here: histories are shared.
  const bool all_here = std::ranges::none_of(
      range.spans, [this](const HistorySpan& span) { return elsewhere(span.shard); });
  if (absl::IsDataLoss(messages.status()) && all_here) {
    damage_->saw(hashes.empty() ? 0 : hashes.front());
  }
  return messages;
}

Result<std::vector<UnfinishedRelease>> LocalJournal::unfinished_releases() {
  if (Status status = applier_->wait_for_all(); !status.ok()) return status;
  std::vector<UnfinishedRelease> unfinished;
  size_t damaged = 0;  // shards
  const StoreView view(*store_);
  for (uint32_t shard = 0; shard < options_.shard_count; ++shard) {
    if (elsewhere({static_cast<uint16_t>(shard)})) continue;
    const std::string kind = keys::index_kind({static_cast<uint16_t>(shard)}, 'R');
    auto scan = view.scan(
        Family::index,
        {.begin = kind, .end = keys::end_of(kind), .within_prefix = false, .fill_cache = false});
    for (scan.seek(kind); scan.valid(); scan.next()) {
      auto listed = keys::parse_unfinished(scan.key());
      if (!listed) return absl::DataLossError("a row of unfinished releases cannot be read");
      unfinished.push_back({std::move(listed->key)});
    }
    if (Status status = scan.status(); absl::IsDataLoss(status)) {
      ++damaged;
    } else if (!status.ok()) {
      return status;
    }
  }
  if (damaged > 0) {
    damage_->saw_elsewhere();
    spdlog::error("what forks owe their parents cannot be read of {} shards; restore a backup",
                  damaged);
  }
  return unfinished;
}

}  // namespace parley
