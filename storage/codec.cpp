#include "storage/codec.hpp"

#include <climits>
#include <utility>

#include "absl/strings/str_cat.h"
#include <google/protobuf/arena.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include "base/check.hpp"
#include "storage/codec_parts.hpp"
#include "storage/codec_upcast.hpp"

namespace parley {
namespace {

using codec::Reading;
using google::protobuf::Arena;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
namespace pb = codec::pb;

constexpr uint32_t k_not_encrypted = 0;
/// A message for the time of one call. Its parts lie in one block on the stack, and only what is large
/// in blocks of the heap.
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

uint8_t* put_header(uint8_t* at) {
  at = CodedOutputStream::WriteVarint32ToArray(k_schema, at);
  return CodedOutputStream::WriteVarint32ToArray(k_not_encrypted, at);
}

/// Header and record, with room for `more` bytes to be appended.
template <class Record>
std::string encode_record(Scratch<Record>& record, size_t more = 0) {
  constexpr size_t k_header_bytes = 2;
  static_assert(k_schema < 0x80, "one byte as a varint");
  const size_t bytes = record->ByteSizeLong();
  PARLEY_CHECK(bytes <= INT_MAX);
  std::string out;
  out.reserve(k_header_bytes + bytes + more);
  out.resize(k_header_bytes + bytes);
  uint8_t* const start = put_header(reinterpret_cast<uint8_t*>(out.data()));
  google::protobuf::io::ArrayOutputStream array(start, static_cast<int>(bytes));
  CodedOutputStream coded(&array);
  coded.SetSerializationDeterministic(true);
  record->SerializeWithCachedSizes(&coded);
  return out;
}

size_t bytes_field_size(size_t bytes) { return 1 + CodedOutputStream::VarintSize64(bytes) + bytes; }

/// Appends a field of bytes to an encoded record without having it copied into a message before.
void append_bytes_field(std::string& out, int field, std::string_view bytes) {
  uint8_t prefix[16];
  uint8_t* end = CodedOutputStream::WriteTagToArray(
      WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED), prefix);
  end = CodedOutputStream::WriteVarint64ToArray(bytes.size(), end);
  out.append(reinterpret_cast<const char*>(prefix), static_cast<size_t>(end - prefix));
  out.append(bytes);
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

std::shared_ptr<const std::string> take(std::string& bytes) {
  return std::make_shared<const std::string>(std::move(bytes));
}

void write(const IndexRow& row, pb::IndexRowRecord& out) {
  out.set_user(row.user);
  codec::write(row.labels, *out.mutable_labels());
  out.set_lifecycle(static_cast<uint32_t>(row.lifecycle));
  out.set_last_activity_us(row.last_activity.micros);
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

EventList read_events(Reading& reading, pb::CommitRecord& in) {
  EventList events;
  events.reserve(static_cast<size_t>(in.events_size()));
  for (auto& record : *in.mutable_events()) events.push_back(codec::read_event(reading, record));
  int next = 0;
  for_each_append(events, [&](MessagesAppended& appended) {
    if (appended.messages.size() > static_cast<size_t>(in.bodies_size() - next)) {
      return reading.wrong("fewer bodies than messages");
    }
    uint64_t bytes = 0;
    for (AppendedMessage& message : appended.messages) {
      message.body = take(*in.mutable_bodies(next++));
      bytes += message.body->size();
    }
    reading.expect(bytes == appended.bytes, "bodies of another length than the event says");
  });
  reading.expect(next == in.bodies_size(), "more bodies than messages");
  return events;
}

Batch read_batch(Reading& reading, pb::CommitRecord& in) {
  reading.expect(in.events_size() > 0, "a commit of nothing");
  reading.expect(in.gone() == (in.after() == 0), "a version after the end");
  reading.expect(in.gone() == in.has_remains(), "remains of what is not gone, or none of what is");
  Batch batch;
  batch.expected = {in.expected()};
  batch.after = {in.after()};
  batch.events = std::make_shared<const EventList>(read_events(reading, in));
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
  const Batch& batch = commit.batch;
  Scratch<pb::CommitRecord> record;
  record->set_shard(commit.shard.value);
  record->set_epoch(commit.epoch.value);
  record->set_tenant(commit.key.tenant);
  record->set_thread(commit.key.thread);
  record->set_expected(batch.expected.value);
  record->set_after(batch.after.value);
  for (const Event& event : *batch.events) codec::write(event, *record->add_events());
  if (batch.index_before) write(*batch.index_before, *record->mutable_index_before());
  if (batch.index_after) write(*batch.index_after, *record->mutable_index_after());
  record->set_gone(batch.gone);
  if (batch.gone) {
    PARLEY_CHECK(batch.snapshot != nullptr);
    codec::write(*batch.snapshot, *record->mutable_remains());
  }
  std::string out = encode_record(record, bodies_size(*batch.events));
  for_each_append(*batch.events, [&](const MessagesAppended& appended) {
    for (const AppendedMessage& message : appended.messages) {
      append_bytes_field(out, pb::CommitRecord::kBodiesFieldNumber, *message.body);
    }
  });
  return out;
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

std::string encode_event(const Event& event) {
  Scratch<pb::EventRecord> record;
  codec::write(event, *record);
  return encode_record(record);
}

Result<Event> decode_event(std::string_view bytes) {
  constexpr const char* k_kind = "event";
  Scratch<pb::EventRecord> record;
  if (Status parsed = parse(k_kind, bytes, record); !parsed.ok()) return parsed;
  Reading reading;
  Event event = codec::read_event(reading, *record);
  if (reading.wrong() != nullptr) return damaged(k_kind, reading.wrong());
  return event;
}

std::string encode_message(const Message& message) {
  PARLEY_CHECK(message.body != nullptr);
  Scratch<pb::MessageRecord> record;
  record->set_version(message.version.value);
  record->set_create_time_us(message.create_time.micros);
  record->set_role(static_cast<uint32_t>(message.role));
  std::string out = encode_record(record, bytes_field_size(message.body->size()));
  append_bytes_field(out, pb::MessageRecord::kBodyFieldNumber, *message.body);
  return out;
}

Result<Message> decode_message(std::string_view bytes, Sequence sequence) {
  constexpr const char* k_kind = "message";
  Scratch<pb::MessageRecord> record;
  if (Status parsed = parse(k_kind, bytes, record); !parsed.ok()) return parsed;
  Reading reading;
  Message message{.sequence = sequence,
                  .version = {record->version()},
                  .create_time = {record->create_time_us()},
                  .role = reading.role(record->role()),
                  .body = take(*record->mutable_body())};
  if (reading.wrong() != nullptr) return damaged(k_kind, reading.wrong());
  return message;
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
