#include <utility>

#include "storage/codec_parts.hpp"

namespace parley::codec {
namespace {

using DropRecords = google::protobuf::RepeatedPtrField<pb::DropRecord>;

void write_drops(const std::vector<HistoryDrop>& drops, DropRecords& out) {
  for (const HistoryDrop& drop : drops) {
    auto& record = *out.Add();
    record.set_history(bytes_of(drop.history));
    record.set_keep(drop.keep.value);
  }
}

std::vector<HistoryDrop> read_drops(Reading& reading, const DropRecords& in) {
  std::vector<HistoryDrop> drops;
  drops.reserve(static_cast<size_t>(in.size()));
  for (const auto& record : in) drops.push_back({reading.id(record.history()), {record.keep()}});
  return drops;
}

void write_body(const ConversationCreated& created, pb::EventRecord& event) {
  auto& out = *event.mutable_created();
  out.set_user(created.user);
  out.set_title(created.title);
  out.set_metadata(created.metadata);
  write(created.labels, *out.mutable_labels());
  write(created.policy, *out.mutable_policy());
  out.set_source_json(created.source_json);
  write(created.lineage, *out.mutable_lineage());
  if (created.origin) write(*created.origin, *out.mutable_origin());
}

ConversationCreated read_body(Reading& reading, pb::CreatedRecord& in) {
  ConversationCreated created;
  created.user = std::move(*in.mutable_user());
  created.title = std::move(*in.mutable_title());
  created.metadata = std::move(*in.mutable_metadata());
  created.labels = read_labels(*in.mutable_labels());
  created.policy = read_policy(reading, in.has_policy() ? &in.policy() : nullptr);
  created.source_json = std::move(*in.mutable_source_json());
  created.lineage = read_lineage(reading, in.has_lineage() ? in.mutable_lineage() : nullptr);
  if (in.has_origin()) created.origin = read_origin(*in.mutable_origin());
  return created;
}

void write_body(const MessagesAppended& appended, pb::EventRecord& event) {
  auto& out = *event.mutable_appended();
  out.set_first(appended.first.value);
  out.set_bytes(appended.bytes);
  for (const AppendedMessage& message : appended.messages) {
    if (message.charge) {
      auto& record = *out.add_charges();
      record.set_index(static_cast<uint32_t>(out.roles_size()));
      write(*message.charge, *record.mutable_charge());
    }
    out.add_roles(static_cast<uint32_t>(message.role));
  }
}

MessagesAppended read_body(Reading& reading, pb::AppendedRecord& in) {
  MessagesAppended appended{.first = {in.first()}, .bytes = in.bytes(), .messages = {}};
  appended.messages.reserve(static_cast<size_t>(in.roles_size()));
  for (const uint32_t role : in.roles()) {
    appended.messages.push_back({reading.role(role), nullptr, std::nullopt});
  }
  for (auto& record : *in.mutable_charges()) {
    if (record.index() >= appended.messages.size()) {
      reading.wrong("a charge for a message that is not there");
      break;
    }
    auto& charge = appended.messages[record.index()].charge;
    reading.expect(!charge && record.has_charge(), "a message with two charges, or half a charge");
    charge = read_charge(reading, *record.mutable_charge());
  }
  return appended;
}

void write_body(const ConversationUpdated& updated, pb::EventRecord& event) {
  auto& out = *event.mutable_updated();
  out.set_user(updated.user);
  out.set_title(updated.title);
  out.set_metadata(updated.metadata);
  write(updated.labels, *out.mutable_labels());
  write(updated.policy, *out.mutable_policy());
  out.set_lifecycle(static_cast<uint32_t>(updated.lifecycle));
}

ConversationUpdated read_body(Reading& reading, pb::UpdatedRecord& in) {
  ConversationUpdated updated;
  updated.user = std::move(*in.mutable_user());
  updated.title = std::move(*in.mutable_title());
  updated.metadata = std::move(*in.mutable_metadata());
  updated.labels = read_labels(*in.mutable_labels());
  updated.policy = read_policy(reading, in.has_policy() ? &in.policy() : nullptr);
  updated.lifecycle = reading.lifecycle(in.lifecycle());
  return updated;
}

void write_body(const UsageRecorded& recorded, pb::EventRecord& event) {
  write(recorded.charge, *event.mutable_usage_recorded());
}

void write_body(const ConversationReset& reset, pb::EventRecord& event) {
  auto& out = *event.mutable_reset();
  write(reset.lineage, *out.mutable_lineage());
  write_drops(reset.drops, *out.mutable_drops());
}

ConversationReset read_body(Reading& reading, pb::ResetRecord& in) {
  return {read_lineage(reading, in.has_lineage() ? in.mutable_lineage() : nullptr),
          read_drops(reading, in.drops())};
}

void write_body(const ForkNoted& noted, pb::EventRecord& event) {
  write(noted.child, *event.mutable_fork_noted());
}

void write_body(const ForkReleased& released, pb::EventRecord& event) {
  auto& out = *event.mutable_fork_released();
  out.set_child_history(bytes_of(released.child_history));
  write_drops(released.drops, *out.mutable_drops());
}

void write_body(const ReleaseConfirmed& confirmed, pb::EventRecord& event) {
  event.set_release_confirmed(bytes_of(confirmed.child_history));
}

void write_body(const ConversationDeleted& deleted, pb::EventRecord& event) {
  write_drops(deleted.drops, *event.mutable_deleted()->mutable_drops());
}

EventBody read_event_body(Reading& reading, pb::EventRecord& in) {
  switch (in.body_case()) {
    case pb::EventRecord::kCreated:
      return read_body(reading, *in.mutable_created());
    case pb::EventRecord::kAppended:
      return read_body(reading, *in.mutable_appended());
    case pb::EventRecord::kUpdated:
      return read_body(reading, *in.mutable_updated());
    case pb::EventRecord::kUsageRecorded:
      return UsageRecorded{read_charge(reading, *in.mutable_usage_recorded())};
    case pb::EventRecord::kReset:
      return read_body(reading, *in.mutable_reset());
    case pb::EventRecord::kForkNoted:
      return ForkNoted{read_child(reading, *in.mutable_fork_noted())};
    case pb::EventRecord::kForkReleased:
      return ForkReleased{reading.id(in.fork_released().child_history()),
                          read_drops(reading, in.fork_released().drops())};
    case pb::EventRecord::kReleaseConfirmed:
      return ReleaseConfirmed{reading.id(in.release_confirmed())};
    case pb::EventRecord::kDeleted:
      return ConversationDeleted{read_drops(reading, in.deleted().drops())};
    case pb::EventRecord::BODY_NOT_SET:
      break;
  }
  reading.wrong("an event of no known kind");
  return ConversationDeleted{};
}

}  // namespace

void write(const Event& event, pb::EventRecord& out) {
  out.set_version(event.version.value);
  out.set_time_us(event.time.micros);
  if (event.dedup) write(*event.dedup, *out.mutable_dedup());
  std::visit([&](const auto& body) { write_body(body, out); }, event.body);
}

Event read_event(Reading& reading, pb::EventRecord& in) {
  Event event{.version = {in.version()}, .time = {in.time_us()}, .dedup = {}, .body = {}};
  if (in.has_dedup()) event.dedup = read_dedup(reading, in.dedup());
  event.body = read_event_body(reading, in);
  return event;
}

}  // namespace parley::codec
