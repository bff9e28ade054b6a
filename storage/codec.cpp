#include "storage/codec.hpp"

#include <algorithm>
#include <climits>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include <google/protobuf/arena.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "base/check.hpp"
#include "storage/codec_fast.hpp"
#include "storage/codec_parts.hpp"
#include "storage/codec_upcast.hpp"

namespace parley {
namespace {

using codec::Reading;
using google::protobuf::Arena;
using google::protobuf::RepeatedPtrField;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
namespace pb = codec::pb;

constexpr uint32_t k_not_encrypted = 0;
constexpr size_t k_header_bytes = 2;
/// The first schema whose values of events and messages hold several.
constexpr uint32_t k_schema_of_rows = 3;
/// How much records take beside what they carry, for reserving.
constexpr size_t k_message_overhead_bytes = 48;
constexpr size_t k_event_overhead_bytes = 112;
constexpr size_t k_commit_overhead_bytes = 96;

/// A message for the time of one call. Its parts lie in one block on the stack, and only what is
/// large in blocks of the heap.
template <class Record>
class Scratch {
 public:
  Scratch() : arena_(options()), record_(*Arena::CreateMessage<Record>(&arena_)) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  Record& operator*() { return record_; }
  Record* operator->() { return &record_; }

 private:
  google::protobuf::ArenaOptions options() {
    google::protobuf::ArenaOptions made;
    made.initial_block = block_;
    made.initial_block_size = sizeof block_;
    return made;
  }

  alignas(8) char block_[4096];
  Arena arena_;
  Record& record_;
};

void put_header(uint8_t* at) {
  static_assert(k_schema < 0x80 && k_not_encrypted < 0x80, "one byte each as a varint");
  at[0] = k_schema;
  at[1] = k_not_encrypted;
}

/// `before` bytes left free, then the record.
template <class Record>
std::string deterministic_bytes(Scratch<Record>& record, size_t before = 0) {
  const size_t bytes = record->ByteSizeLong();
  PARLEY_CHECK(bytes <= INT_MAX);
  std::string out(before + bytes, '\0');
  google::protobuf::io::ArrayOutputStream array(out.data() + before, static_cast<int>(bytes));
  CodedOutputStream coded(&array);
  coded.SetSerializationDeterministic(true);
  record->SerializeWithCachedSizes(&coded);
  return out;
}

/// Header and record.
template <class Record>
std::string encode_record(Scratch<Record>& record) {
  std::string out = deterministic_bytes(record, k_header_bytes);
  put_header(reinterpret_cast<uint8_t*>(out.data()));
  return out;
}

size_t bytes_field_size(size_t bytes) { return 1 + varint_size(bytes) + bytes; }

/// Schema and key slot of a value whose record is written by hand.
std::string begin_record(size_t reserved) {
  std::string out;
  out.reserve(k_header_bytes + reserved);
  out.resize(k_header_bytes);
  put_header(reinterpret_cast<uint8_t*>(out.data()));
  return out;
}

/// As a field of EventRecords.
void append_event(RecordWriter& out, uint32_t field, const Event& event) {
  if (codec::is_fast(event)) return out.record(field, [&] { codec::write_fast(event, out); });
  Scratch<pb::EventRecord> record;
  codec::write(event, *record);
  out.bytes(field, deterministic_bytes(record));
}

Status damaged(const char* kind, std::string_view what) {
  return absl::DataLossError(
      absl::StrCat("a stored ", kind, " is damaged: ", absl::string_view(what.data(), what.size()),
                   "; restore it from a backup or a replica"));
}

/// Takes the header off and answers the schema.
Result<uint32_t> take_header(const char* kind, std::string_view& bytes) {
  if (bytes.size() > INT_MAX) return damaged(kind, "longer than 2 GiB");
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                      static_cast<int>(bytes.size()));
  uint64_t schema = 0;
  uint64_t key_slot = 0;
  if (!in.ReadVarint64(&schema) || schema == 0) return damaged(kind, "no schema");
  if (schema > k_schema) {
    return absl::FailedPreconditionError(absl::StrCat(
        "a stored ", kind, " is of schema ", schema,
        ", written by a newer Parley; this one reads up to ", k_schema, ": upgrade it"));
  }
  if (!in.ReadVarint64(&key_slot)) return damaged(kind, "no key slot");
  if (key_slot != k_not_encrypted) {
    return absl::FailedPreconditionError(
        absl::StrCat("a stored ", kind, " is encrypted with the key of slot ", key_slot,
                     "; this Parley cannot decrypt: use one that can"));
  }
  bytes.remove_prefix(static_cast<size_t>(in.CurrentPosition()));
  return static_cast<uint32_t>(schema);
}

/// Header off, parsed, and upcast to the current schema.
template <class Record>
Status parse(const char* kind, std::string_view bytes, Scratch<Record>& record) {
  const auto schema = take_header(kind, bytes);
  if (!schema.ok()) return schema.status();
  if (!record->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return damaged(kind, "not the form of a record");
  }
  codec::upcast(*record, *schema);
  return absl::OkStatus();
}

/// A value that holds several records, or the one of an older schema, which `add_only` makes room
/// for. Answers its schema; the records are still to be upcast.
template <class Row, class AddOnly>
Result<uint32_t> parse_row(const char* kind, std::string_view bytes, Scratch<Row>& row,
                           AddOnly add_only) {
  const auto schema = take_header(kind, bytes);
  if (!schema.ok()) return schema.status();
  const auto size = static_cast<int>(bytes.size());
  const bool parsed = *schema < k_schema_of_rows ? add_only()->ParseFromArray(bytes.data(), size)
                                                 : row->ParseFromArray(bytes.data(), size);
  if (!parsed) return damaged(kind, "not the form of a record");
  return *schema;
}

/// The fields of a MessageRecord.
void write(const Message& message, RecordWriter& out) {
  PARLEY_CHECK(message.body != nullptr);
  out.number(pb::MessageRecord::kVersionFieldNumber, message.version.value);
  out.signed_number(pb::MessageRecord::kCreateTimeUsFieldNumber, message.create_time.micros);
  out.number(pb::MessageRecord::kRoleFieldNumber, static_cast<uint64_t>(message.role));
  out.bytes(pb::MessageRecord::kBodyFieldNumber, *message.body);
}

std::shared_ptr<const std::string> take(std::string& bytes) {
  return std::make_shared<const std::string>(std::move(bytes));
}

IndexRow read_index_row(Reading& reading, pb::IndexRowRecord& in) {
  return {std::move(*in.mutable_user()),
          codec::read_labels(*in.mutable_labels()),
          reading.lifecycle(in.lifecycle()),
          {in.last_activity_us()}};
}

/// Calls `use` with each append among the events, in order.
template <class Events, class Use>
void for_each_append(Events& events, Use use) {
  for (auto& event : events) {
    if (auto* appended = std::get_if<MessagesAppended>(&event.body)) use(*appended);
  }
}

size_t bodies_size(const EventList& events) {
  size_t bytes = 0;
  for_each_append(events, [&](const MessagesAppended& appended) {
    for (const AppendedMessage& message : appended.messages) {
      PARLEY_CHECK(message.body != nullptr);
      bytes += bytes_field_size(message.body->size());
    }
  });
  return bytes;
}

/// `bodies` of the messages of those appends that `has_bodies` says have them.
template <class HasBodies>
EventList read_events(Reading& reading, RepeatedPtrField<pb::EventRecord>& records,
                      RepeatedPtrField<std::string>& bodies, HasBodies has_bodies) {
  EventList events;
  events.reserve(static_cast<size_t>(records.size()));
  for (auto& record : records) events.push_back(codec::read_event(reading, record));
  int next = 0;
  for (Event& event : events) {
    auto* const appended = std::get_if<MessagesAppended>(&event.body);
    if (appended == nullptr || !has_bodies(event.version)) continue;
    if (appended->messages.size() > static_cast<size_t>(bodies.size() - next)) {
      reading.wrong("fewer bodies than messages");
      break;
    }
    uint64_t bytes = 0;
    for (AppendedMessage& message : appended->messages) {
      message.body = take(bodies[next++]);
      bytes += message.body->size();
    }
    reading.expect(bytes == appended->bytes, "bodies of another length than the event says");
  }
  reading.expect(next == bodies.size(), "more bodies than messages");
  return events;
}

Batch read_batch(Reading& reading, pb::CommitRecord& in) {
  reading.expect(in.events_size() > 0, "a commit of nothing");
  reading.expect(in.gone() == (in.after() == 0), "a version after the end");
  reading.expect(in.gone() == in.has_remains(), "remains of what is not gone, or none of what is");
  Batch batch;
  batch.expected = {in.expected()};
  batch.after = {in.after()};
  batch.events = std::make_shared<const EventList>(read_events(
      reading, *in.mutable_events(), *in.mutable_bodies(), [](Version) { return true; }));
  reading.expect(in.gone() || batch.events->empty() || batch.events->back().version == batch.after,
                 "another version than that of the last event");
  if (in.has_index_before())
    batch.index_before = read_index_row(reading, *in.mutable_index_before());
  if (in.has_index_after()) batch.index_after = read_index_row(reading, *in.mutable_index_after());
  batch.gone = in.gone();
  if (in.has_remains()) {
    auto remains = codec::read_state(reading, *in.mutable_remains());
    reading.expect(!remains.exists, "remains that exist");
    batch.snapshot = std::make_shared<const State>(std::move(remains));
  }
  return batch;
}

Commit read_commit(Reading& reading, pb::CommitRecord& in, uint32_t shard_count) {
  Commit commit;
  commit.key = {std::move(*in.mutable_tenant()), std::move(*in.mutable_thread())};
  commit.key_hash = key_hash(commit.key);
  commit.shard = reading.shard(in.shard());
  reading.expect(shard_of(commit.key_hash, shard_count) == commit.shard,
                 "a commit in a shard that is not its conversation's");
  commit.epoch = {in.epoch()};
  commit.batch = read_batch(reading, in);
  return commit;
}

EpochRaised read_epoch_raised(Reading& reading, const pb::CommitRecord& in, uint32_t shard_count) {
  reading.expect(in.events_size() == 0 && in.bodies_size() == 0 && in.tenant().empty() &&
                     in.thread().empty() && !in.gone(),
                 "a commit that is an epoch too");
  reading.expect(in.shard() < shard_count, "a shard that is not there");
  return {reading.shard(in.shard()), {in.epoch()}};
}

}  // namespace

std::string encode_commit(const Commit& commit) {
  using Record = pb::CommitRecord;
  const Batch& batch = commit.batch;
  std::string bytes =
      begin_record(k_commit_overhead_bytes + commit.key.tenant.size() + commit.key.thread.size() +
                   batch.events->size() * k_event_overhead_bytes + bodies_size(*batch.events));
  RecordWriter out(bytes);
  out.number(Record::kShardFieldNumber, commit.shard.value);
  out.number(Record::kEpochFieldNumber, commit.epoch.value);
  out.text(Record::kTenantFieldNumber, commit.key.tenant);
  out.text(Record::kThreadFieldNumber, commit.key.thread);
  out.number(Record::kExpectedFieldNumber, batch.expected.value);
  out.number(Record::kAfterFieldNumber, batch.after.value);
  for (const Event& event : *batch.events) append_event(out, Record::kEventsFieldNumber, event);
  const auto index_row = [&](uint32_t field, const std::optional<IndexRow>& row) {
    if (row) out.record(field, [&] { codec::write_fast(*row, out); });
  };
  index_row(Record::kIndexBeforeFieldNumber, batch.index_before);
  index_row(Record::kIndexAfterFieldNumber, batch.index_after);
  if (batch.gone) {
    PARLEY_CHECK(batch.snapshot != nullptr);
    Scratch<pb::StateRecord> remains;
    codec::write(*batch.snapshot, *remains);
    out.bytes(Record::kRemainsFieldNumber, deterministic_bytes(remains));
    out.number(Record::kGoneFieldNumber, 1);
  }
  // Last, out of order: what is large is copied once.
  for_each_append(*batch.events, [&](const MessagesAppended& appended) {
    for (const AppendedMessage& message : appended.messages) {
      out.bytes(Record::kBodiesFieldNumber, *message.body);
    }
  });
  return bytes;
}

std::string encode_epoch_raised(const EpochRaised& raised) {
  Scratch<pb::CommitRecord> record;
  record->set_shard(raised.shard.value);
  record->set_epoch(raised.epoch.value);
  record->set_epoch_raised(true);
  return encode_record(record);
}

Result<LogRecord> decode_log_record(std::string_view bytes, uint32_t shard_count) {
  constexpr const char* k_kind = "commit";
  Scratch<pb::CommitRecord> record;
  if (Status parsed = parse(k_kind, bytes, record); !parsed.ok()) return parsed;
  Reading reading;
  LogRecord value;
  if (record->epoch_raised()) {
    value = read_epoch_raised(reading, *record, shard_count);
  } else {
    value = read_commit(reading, *record, shard_count);
  }
  if (reading.wrong() != nullptr) return damaged(k_kind, reading.wrong());
  return value;
}

std::string encode_events(std::span<const Event* const> events) {
  PARLEY_CHECK(!events.empty());
  std::string bytes = begin_record(events.size() * k_event_overhead_bytes);
  RecordWriter out(bytes);
  for (const Event* event : events) {
    append_event(out, pb::EventRowRecord::kEventsFieldNumber, *event);
  }
  return bytes;
}

Result<EventList> decode_events(std::string_view bytes) {
  constexpr const char* k_kind = "row of events";
  Scratch<pb::EventRowRecord> row;
  const auto add_only = [&] { return row->add_events(); };
  const auto schema = parse_row(k_kind, bytes, row, add_only);
  if (!schema.ok()) return schema.status();
  Reading reading;
  EventList events;
  events.reserve(static_cast<size_t>(row->events_size()));
  for (auto& record : *row->mutable_events()) {
    codec::upcast(record, *schema);
    events.push_back(codec::read_event(reading, record));
    reading.expect(
        events.size() == 1 || events.back().version == events[events.size() - 2].version.next(),
        "versions that do not follow one another");
  }
  reading.expect(!events.empty(), "no event in it");
  if (reading.wrong() != nullptr) return damaged(k_kind, reading.wrong());
  return events;
}

namespace {
bool has_all_bodies(const MessagesAppended& appended) {
  return std::ranges::all_of(appended.messages,
                             [](const auto& message) { return message.body != nullptr; });
}
}  // namespace

std::string encode_feed(std::span<const Event* const> events) {
  using Record = pb::FeedRecord;
  PARLEY_CHECK(!events.empty());
  size_t reserved = events.size() * k_event_overhead_bytes;
  for (const Event* event : events) {
    if (const auto* appended = std::get_if<MessagesAppended>(&event->body)) {
      reserved += appended->bytes + appended->messages.size() * k_message_overhead_bytes;
    }
  }
  std::string bytes = begin_record(reserved);
  RecordWriter out(bytes);
  std::vector<const MessagesAppended*> whole;
  std::vector<Version> erased;
  for (const Event* event : events) {
    append_event(out, Record::kEventsFieldNumber, *event);
    const auto* appended = std::get_if<MessagesAppended>(&event->body);
    if (appended == nullptr) continue;
    if (has_all_bodies(*appended)) {
      whole.push_back(appended);
    } else {
      erased.push_back(event->version);
    }
  }
  for (const MessagesAppended* appended : whole) {
    for (const AppendedMessage& message : appended->messages) {
      out.bytes(Record::kBodiesFieldNumber, *message.body);
    }
  }
  for (const Version version : erased) out.number(Record::kErasedFieldNumber, version.value);
  return bytes;
}

Result<EventList> decode_feed(std::string_view bytes) {
  constexpr const char* k_kind = "feed";
  Scratch<pb::FeedRecord> record;
  if (Status parsed = parse(k_kind, bytes, record); !parsed.ok()) return parsed;
  const std::set<uint64_t> erased(record->erased().begin(), record->erased().end());
  Reading reading;
  EventList events = read_events(reading, *record->mutable_events(), *record->mutable_bodies(),
                                 [&](Version version) { return !erased.contains(version.value); });
  reading.expect(!events.empty(), "no event in it");
  if (reading.wrong() != nullptr) return damaged(k_kind, reading.wrong());
  return events;
}

std::string encode_messages(std::span<const Message* const> messages) {
  PARLEY_CHECK(!messages.empty());
  size_t reserved = 0;
  for (const Message* message : messages) {
    reserved += message->body->size() + k_message_overhead_bytes;
  }
  std::string bytes = begin_record(reserved);
  RecordWriter out(bytes);
  for (const Message* message : messages) {
    out.record(pb::MessageRowRecord::kMessagesFieldNumber, [&] { write(*message, out); });
  }
  return bytes;
}

Result<std::vector<Message>> decode_messages(std::string_view bytes, Sequence last) {
  constexpr const char* k_kind = "row of messages";
  Scratch<pb::MessageRowRecord> row;
  const auto add_only = [&] { return row->add_messages(); };
  const auto schema = parse_row(k_kind, bytes, row, add_only);
  if (!schema.ok()) return schema.status();
  const auto count = static_cast<uint64_t>(row->messages_size());
  if (count == 0) return damaged(k_kind, "no message in it");
  if (count > last.value) return damaged(k_kind, "more messages than its last sequence allows");
  Reading reading;
  std::vector<Message> messages;
  messages.reserve(count);
  Sequence sequence{last.value - count};
  for (auto& record : *row->mutable_messages()) {
    ++sequence.value;
    messages.push_back({.sequence = sequence,
                        .version = {record.version()},
                        .create_time = {record.create_time_us()},
                        .role = reading.role(record.role()),
                        .body = take(*record.mutable_body())});
  }
  if (reading.wrong() != nullptr) return damaged(k_kind, reading.wrong());
  return messages;
}

std::string encode_state(const State& state) {
  Scratch<pb::StateRecord> record;
  codec::write(state, *record);
  return encode_record(record);
}

Result<State> decode_state(std::string_view bytes) {
  constexpr const char* k_kind = "state";
  Scratch<pb::StateRecord> record;
  if (Status parsed = parse(k_kind, bytes, record); !parsed.ok()) return parsed;
  Reading reading;
  State state = codec::read_state(reading, *record);
  if (reading.wrong() != nullptr) return damaged(k_kind, reading.wrong());
  return state;
}

}  // namespace parley
