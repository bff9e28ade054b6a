#include "storage/postgres/commit_rows.hpp"

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "storage/codec.hpp"
#include "storage/effects.hpp"
#include "storage/postgres/readable.hpp"

namespace parley::postgres {
namespace {

/// In place of what only the database knows.
constexpr uint64_t k_as_before = UINT64_MAX;
constexpr const char* k_no_metadata = "{}";

const char* role_name(Role role) {
  switch (role) {
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
    case Role::system:
      return "system";
    case Role::tool:
      return "tool";
  }
  return "unknown";
}

void add_unless_as_before(Array& column, uint64_t value) {
  if (value == k_as_before) return column.add_null();
  column.add(int8_value(static_cast<int64_t>(value)));
}

/// What the last event that says it says of a conversation's face.
struct Face {
  const std::string* title = nullptr;
  const std::string* metadata = nullptr;
  std::optional<WallTime> created;
};

Face face_of(const EventList& events) {
  Face face;
  for (const Event& event : events) {
    if (const auto* created = std::get_if<ConversationCreated>(&event.body)) {
      face = {&created->title, &created->metadata, event.time};
    } else if (const auto* updated = std::get_if<ConversationUpdated>(&event.body)) {
      face.title = &updated->title;
      face.metadata = &updated->metadata;
    }
  }
  return face;
}

}  // namespace

void CommitRows::add(const Commit& commit, const Id128& history) {
  ++conversations_;
  add_head(commit, history);
  add_shown(commit);
  add_kept(commit);
}

void CommitRows::add_head(const Commit& commit, const Id128& history) {
  const Batch& batch = commit.batch;
  const Head before{batch.expected, history, {k_as_before}, {k_as_before}};
  const Effects effects = effects_of(batch, before);
  tenants_.add(commit.key.tenant);
  threads_.add(commit.key.thread);
  shards_.add(int4_value(commit.shard.value));
  epochs_.add(int8_value(static_cast<int64_t>(commit.epoch.value)));
  expected_.add(int8_value(static_cast<int64_t>(batch.expected.value)));
  live_.add(boolean_value(!batch.gone));
  vanished_.add(boolean_value(batch.gone && batch.snapshot->vanished()));
  versions_.add(int8_value(static_cast<int64_t>(effects.after.version.value)));
  histories_.add(effects.after.history.view());
  add_unless_as_before(reset_versions_, effects.after.reset_version.value);
  add_unless_as_before(message_counts_, effects.after.last_sequence.value);
  for (const PlacedMessage& placed : effects.messages) {
    const Message& message = placed.message;
    const Message* only = &message;
    messages_of_.add(int4_value(conversations_));
    message_histories_.add(placed.history.view());
    sequences_.add(int8_value(static_cast<int64_t>(message.sequence.value)));
    message_versions_.add(int8_value(static_cast<int64_t>(message.version.value)));
    message_times_.add(time_value(message.create_time));
    roles_.add(role_name(message.role));
    const auto text = message_text(*message.body);
    contents_.add_if(text ? std::optional(text_value(*text)) : std::nullopt);
    messages_.add(encode_messages({&only, 1}));
  }
  for (const HistoryDrop& drop : effects.drops) {
    drops_of_.add(int4_value(conversations_));
    drop_histories_.add(drop.history.view());
    drop_keeps_.add(int8_value(static_cast<int64_t>(drop.keep.value)));
  }
}

/// What lists and people see.
void CommitRows::add_shown(const Commit& commit) {
  const Batch& batch = commit.batch;
  if (batch.gone || !batch.index_after) {
    users_.add_null();
    titles_.add("");
    metadata_.add(k_no_metadata);
    labels_.add("{}");
    lifecycles_.add("deleted");
    create_times_.add_null();
    activity_times_.add_null();
    return;
  }
  const IndexRow& row = *batch.index_after;
  const Face face = face_of(*batch.events);
  users_.add_if(row.user.empty() ? std::nullopt : std::optional(text_value(row.user)));
  labels_.add(labels_json(row.labels));
  lifecycles_.add(row.lifecycle == Lifecycle::active ? "active" : "archived");
  activity_times_.add(time_value(row.last_activity));
  titles_.add_if(face.title != nullptr ? std::optional(text_value(*face.title)) : std::nullopt);
  if (face.metadata == nullptr) {
    metadata_.add_null();
  } else {
    metadata_.add(face.metadata->empty() ? k_no_metadata : text_value(*face.metadata));
  }
  create_times_.add_if(face.created ? std::optional(time_value(*face.created)) : std::nullopt);
}

/// What the conversation is made of again.
void CommitRows::add_kept(const Commit& commit) {
  const Batch& batch = commit.batch;
  owe_parents_.add(boolean_value(batch.owes_parents));
  if (batch.gone) {
    snapshots_.add_null();
    remains_.add(encode_state(*batch.snapshot));
    // What forks or parents still need is not forgotten for being old.
    State rest = *batch.snapshot;
    rest.dedup.clear();
    const bool old_some_day = last_request(*batch.snapshot) && rest.vanished();
    forgets_ |= old_some_day;
    forget_never_.add_null();
    forget_after_.add_if(old_some_day ? std::optional(int8_value(rest.policy.dedup_seconds))
                                      : std::nullopt);
    first_versions_.add_null();
    events_.add_null();
    return;
  }
  snapshots_.add_if(batch.snapshot ? std::optional(encode_state(*batch.snapshot)) : std::nullopt);
  remains_.add_null();
  forget_never_.add_null();
  forget_after_.add_null();
  std::vector<const Event*> events;
  for (const Event& event : *batch.events) events.push_back(&event);
  first_versions_.add(int8_value(static_cast<int64_t>(events.front()->version.value)));
  events_.add(encode_events(events));
}

#define PARLEY_COMMIT(forget_times)                                                            \
  "SELECT parley.commit_1($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19," \
  "$20,$21," forget_times ",$23,$24,$25,$26,$27,$28,$29,$30,$31,$32,$33,$34,$35)"

const char* CommitRows::statement() const {
  // By the database's clock, which is one for all nodes. Few commits are of deletions.
  return forgets_ ? PARLEY_COMMIT(
                        "ARRAY(SELECT now() + f.seconds * interval '1 second' FROM "
                        "unnest($22) WITH ORDINALITY AS f(seconds, i) ORDER BY f.i)")
                  : PARLEY_COMMIT("$22");
}

#undef PARLEY_COMMIT

Parameters CommitRows::parameters() const {
  const Array& forget = forgets_ ? forget_after_ : forget_never_;
  Parameters parameters;
  for (const Array* column : {&tenants_,        &threads_,
                              &shards_,         &epochs_,
                              &expected_,       &live_,
                              &vanished_,       &versions_,
                              &users_,          &titles_,
                              &metadata_,       &labels_,
                              &lifecycles_,     &message_counts_,
                              &create_times_,   &activity_times_,
                              &histories_,      &reset_versions_,
                              &snapshots_,      &remains_,
                              &owe_parents_,    &forget,
                              &first_versions_, &events_,
                              &messages_of_,    &message_histories_,
                              &sequences_,      &message_versions_,
                              &message_times_,  &roles_,
                              &contents_,       &messages_,
                              &drops_of_,       &drop_histories_,
                              &drop_keeps_}) {
    parameters.array(*column);
  }
  return parameters;
}

}  // namespace parley::postgres
