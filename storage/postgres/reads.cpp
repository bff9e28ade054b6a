#include "storage/postgres/reads.hpp"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "conversation/evolve.hpp"
#include "storage/codec.hpp"
#include "storage/pages.hpp"
#include "storage/postgres/readable.hpp"

namespace parley::postgres {
namespace {

constexpr const char* k_head =
    "SELECT is_live, version, history, reset_version, message_count FROM parley.conversations "
    "WHERE tenant = $1 AND thread_id = $2";

/// One statement, so that all of it is of one moment.
constexpr const char* k_state =
    "SELECT c.is_live, c.version, c.history, c.reset_version, c.message_count, c.remains, "
    "  CASE WHEN c.snapshot_version <= $3 THEN c.snapshot END, "
    "  ARRAY(SELECT e.events FROM parley.events e WHERE e.tenant = $1 AND e.thread_id = $2 "
    "        AND e.version > CASE WHEN c.snapshot_version <= $3 THEN c.snapshot_version ELSE 0 END "
    "        AND e.first_version <= $3 ORDER BY e.version) "
    "FROM parley.conversations c WHERE c.tenant = $1 AND c.thread_id = $2";

constexpr const char* k_events =
    "SELECT events FROM parley.events WHERE tenant = $1 AND thread_id = $2 AND version > $3 "
    "ORDER BY version LIMIT $4";

/// As many as fit into so many bytes, the first in any case.
constexpr const char* k_messages =
    "SELECT sequence, message FROM ("
    "  SELECT sequence, message, sum(octet_length(message)) OVER (ORDER BY sequence) AS total FROM "
    "("
    "    SELECT sequence, message FROM parley.messages "
    "    WHERE history = $1 AND sequence BETWEEN $2 AND $3 ORDER BY sequence LIMIT $4) AS page"
    ") AS summed WHERE total - octet_length(message) <= $5 ORDER BY sequence";
constexpr const char* k_newest_messages =
    "SELECT sequence, message FROM ("
    "  SELECT sequence, message, sum(octet_length(message)) OVER (ORDER BY sequence DESC) AS total "
    "  FROM (SELECT sequence, message FROM parley.messages "
    "    WHERE history = $1 AND sequence BETWEEN $2 AND $3 ORDER BY sequence DESC LIMIT $4) AS page"
    ") AS summed WHERE total - octet_length(message) <= $5 ORDER BY sequence DESC";

/// Bodies of events are read so many messages at a time.
constexpr size_t k_bodies = 200;

int64_t bounded(size_t value) {
  return static_cast<int64_t>(std::min<size_t>(value, INT64_MAX / 2));
}

StoredHead head_in(const Rows& rows) {
  StoredHead stored;
  stored.live = rows.boolean(0, 0);
  if (!stored.live) return stored;
  stored.head = {{static_cast<uint64_t>(rows.number(0, 1))},
                 rows.uuid(0, 2),
                 {static_cast<uint64_t>(rows.number(0, 3))},
                 {static_cast<uint64_t>(rows.number(0, 4))}};
  return stored;
}

Parameters named(const ConversationKey& key) {
  return Parameters().text(key.tenant).text(key.thread);
}

Status missing(Sequence sequence, const Id128& history) {
  return absl::DataLossError(absl::StrCat(
      "message ", sequence.value, " of history ", history.hex(),
      " is missing; it was erased since, or the table parley.messages is damaged: read the "
      "conversation again, and restore a backup of the database if it stays"));
}

/// From a snapshot or remains on, event by event.
class Fold {
 public:
  Fold(const ConversationKey& key, std::optional<Version> at) : key_(key), at_(at) {}

  Status begin(std::string_view encoded) {
    auto state = decode_state(encoded);
    if (!state.ok()) return undecodable(key_, state.status());
    state_ = *std::move(state);
    return absl::OkStatus();
  }
  Status add(std::string_view encoded) {
    const auto events = decode_events(encoded);
    if (!events.ok()) return undecodable(key_, events.status());
    for (const Event& event : *events) {
      if (event.version <= state_.version) continue;
      if (at_ && event.version > *at_) return absl::OkStatus();
      if (event.version != state_.version.next()) {
        return damaged_conversation(key_, absl::StrCat("version ", event.version.value,
                                                       " follows on ", state_.version.value));
      }
      evolve_in_place(state_, event);
      ++events_;
    }
    return absl::OkStatus();
  }
  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] uint64_t events() const { return events_; }

 private:
  const ConversationKey& key_;
  const std::optional<Version> at_;
  State state_;
  uint64_t events_ = 0;
};

/// One part of a range, behind what there is of `messages`.
Status read_part(SessionPool& sessions, HistorySpan part, bool newest_first,
                 std::vector<Message>& messages, PageFill& fill, size_t bytes_max) {
  while (part.first <= part.last && !fill.full()) {
    const auto rows = sessions.run(newest_first ? k_newest_messages : k_messages,
                                   Parameters()
                                       .uuid(part.history)
                                       .int8(bounded(part.first.value))
                                       .int8(bounded(part.last.value))
                                       .int8(bounded(fill.room()))
                                       .int8(bounded(bytes_max)));
    if (!rows.ok()) return rows.status();
    if (rows->count() == 0) return missing(newest_first ? part.last : part.first, part.history);
    for (int i = 0; i < rows->count() && !fill.full(); ++i) {
      const Sequence next = newest_first ? part.last : part.first;
      const Sequence sequence{static_cast<uint64_t>(rows->number(i, 0))};
      if (sequence != next) return missing(next, part.history);
      auto row = decode_messages(rows->bytes(i, 1), sequence);
      if (!row.ok()) return row.status();
      if (fill.take(row->back().body->size())) messages.push_back(std::move(row->back()));
      if (newest_first) {
        --part.last.value;
      } else {
        ++part.first.value;
      }
    }
  }
  return absl::OkStatus();
}

/// The bodies of a history's messages, for events that follow one another.
class Bodies {
 public:
  Bodies(SessionPool& sessions, const Head& head) : sessions_(sessions), head_(head) {}

  Status fill(Event& event) {
    auto* appended = std::get_if<MessagesAppended>(&event.body);
    if (appended == nullptr || event.version < head_.reset_version) return absl::OkStatus();
    Sequence sequence = appended->first;
    for (AppendedMessage& each : appended->messages) {
      if (Status status = turn_to(sequence); !status.ok()) return status;
      each.body = std::move(read_[sequence.value - first_.value].body);
      ++sequence.value;
    }
    return absl::OkStatus();
  }

 private:
  Status turn_to(Sequence sequence) {
    if (first_ <= sequence && sequence.value < first_.value + read_.size()) return absl::OkStatus();
    read_.clear();
    first_ = sequence;
    const PageBounds bounds{.count_max = k_bodies, .bytes_max = 4U << 20};
    PageFill fill(bounds);
    const Sequence last{std::min(head_.last_sequence.value, sequence.value + k_bodies - 1)};
    if (last < sequence) return missing(sequence, head_.history);
    return read_part(sessions_, {{}, head_.history, sequence, last}, false, read_, fill,
                     bounds.bytes_max);
  }

  SessionPool& sessions_;
  const Head head_;
  Sequence first_{1};
  std::vector<Message> read_;
};

Result<EventList> read_events_of(SessionPool& sessions, const ConversationKey& key,
                                 const Head& head, Version after, PageBounds bounds) {
  EventList events;
  PageFill fill(bounds);
  Bodies bodies(sessions, head);
  Version version = after;
  while (!fill.full() && version < head.version) {
    const auto rows =
        sessions.run(k_events, named(key).int8(bounded(version.value)).int8(bounded(fill.room())));
    if (!rows.ok()) return rows.status();
    if (rows->count() == 0) return damaged_conversation(key, "its last events are missing");
    for (int i = 0; i < rows->count() && !fill.full(); ++i) {
      auto row = decode_events(rows->bytes(i, 0));
      if (!row.ok()) return undecodable(key, row.status());
      for (Event& event : *row) {
        if (event.version <= version) continue;
        if (event.version != version.next()) {
          return damaged_conversation(key, "an event is missing");
        }
        const auto* appended = std::get_if<MessagesAppended>(&event.body);
        const bool whole = appended != nullptr && event.version >= head.reset_version;
        if (!fill.take(rough_event_bytes(event) + (whole ? appended->bytes : 0))) break;
        if (Status status = bodies.fill(event); !status.ok()) return status;
        version = event.version;
        events.push_back(std::move(event));
        if (fill.full()) break;
      }
    }
  }
  return events;
}

}  // namespace

Result<std::optional<StoredHead>> read_head(SessionPool& sessions, const ConversationKey& key) {
  const auto rows = sessions.run(k_head, named(key));
  if (!rows.ok()) return rows.status();
  if (rows->count() == 0) return std::nullopt;
  return head_in(*rows);
}

Result<State> read_stored_state(SessionPool& sessions, const ConversationKey& key,
                                std::optional<Version> at, uint64_t* events) {
  const int64_t until = at ? bounded(at->value) : INT64_MAX;
  const auto rows = sessions.run(k_state, named(key).int8(until));
  if (!rows.ok()) return rows.status();
  if (rows->count() == 0) return at ? Result<State>(version_not_stored(key, *at, {})) : State{};
  const StoredHead stored = head_in(*rows);
  if (at && (!stored.live || *at > stored.head.version)) {
    return version_not_stored(key, *at, stored.head.version);
  }
  Fold fold(key, at);
  const bool snapshot = stored.live && !rows->is_null(0, 6);
  if (snapshot || !rows->is_null(0, 5)) {
    Status status = fold.begin(rows->bytes(0, snapshot ? 6 : 5));
    if (!status.ok()) return status;
  }
  if (!stored.live) return fold.state();
  for (const std::string_view row : rows->array(0, 7)) {
    if (Status status = fold.add(row); !status.ok()) return status;
  }
  if (events != nullptr) *events = fold.events();
  const State& state = fold.state();
  const bool whole = at ? state.version == *at : head_of(state) == stored.head;
  if (whole) return state;
  return damaged_conversation(
      key, absl::StrCat("it ends at version ", state.version.value, " instead of ",
                        at.value_or(stored.head.version).value));
}

Result<std::vector<Message>> read_stored_messages(SessionPool& sessions, const MessageRange& range,
                                                  PageBounds bounds) {
  std::vector<Message> messages;
  PageFill fill(bounds);
  for (const HistorySpan& part : parts_of(range)) {
    if (fill.full()) break;
    Status status = read_part(sessions, part, range.newest_first, messages, fill, bounds.bytes_max);
    if (!status.ok()) return status;
  }
  return messages;
}

Result<EventList> read_stored_events(SessionPool& sessions, const ConversationKey& key,
                                     Version after, PageBounds bounds) {
  while (true) {
    const auto head = read_head(sessions, key);
    if (!head.ok()) return head.status();
    if (!*head || !(*head)->live) return nothing_stored(key);
    auto events = read_events_of(sessions, key, (*head)->head, after, bounds);
    if (!absl::IsDataLoss(events.status())) return events;
    // A reset or a deletion may have come between two statements.
    const auto now = read_head(sessions, key);
    if (!now.ok()) return now.status();
    if (*now && (*now)->live && (*now)->head.version == (*head)->head.version) return events;
  }
}

Result<ListedPage> read_list(SessionPool& sessions, const ListQuery& query) {
  std::string sql =
      "SELECT thread_id, last_activity_time FROM parley.conversations WHERE is_live AND tenant = "
      "$1";
  Parameters parameters;
  parameters.text(query.tenant);
  const auto next = [&parameters] { return absl::StrCat("$", parameters.count()); };
  if (!query.user.empty()) {
    parameters.text(query.user);
    absl::StrAppend(&sql, " AND user_id = ", next());
  }
  if (!query.labels.empty()) {
    parameters.text(labels_json(query.labels));
    // Why twice: so the planner sees that the index has them, which leaves those without out.
    absl::StrAppend(&sql, " AND labels <> '{}' AND labels @> ", next(), "::jsonb");
  }
  if (query.lifecycle) {
    parameters.text(*query.lifecycle == Lifecycle::active ? "active" : "archived");
    absl::StrAppend(&sql, " AND lifecycle = ", next());
  }
  if (query.after) {
    parameters.time(query.after->last_activity);
    const std::string time = next();
    parameters.text(query.after->thread);
    absl::StrAppend(&sql, " AND last_activity_time <= ", time, " AND (last_activity_time < ", time,
                    " OR thread_id > ", next(), ")");
  }
  parameters.int8(bounded(query.count_max));
  absl::StrAppend(&sql, " ORDER BY last_activity_time DESC, thread_id LIMIT ", next());
  const auto rows = sessions.run(sql.c_str(), parameters);
  if (!rows.ok()) return rows.status();
  ListedPage page;
  for (int i = 0; i < rows->count(); ++i) {
    page.conversations.push_back({rows->text(i, 0), rows->time(i, 1)});
  }
  return page;
}

}  // namespace parley::postgres
