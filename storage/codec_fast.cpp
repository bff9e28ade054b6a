#include "storage/codec_fast.hpp"

#include "parley/storage/v1/storage.pb.h"

namespace parley::codec {
namespace {

namespace pb = parley::storage::v1;

void write(const DedupEntry& entry, RecordWriter& out) {
  using Record = pb::DedupRecord;
  const Receipt& receipt = entry.receipt;
  out.bytes(Record::kRequestFieldNumber, entry.request.view());
  out.fixed64(Record::kDigestFieldNumber, entry.digest);
  out.number(Record::kVersionFieldNumber, receipt.version.value);
  out.number(Record::kFirstFieldNumber, receipt.first.value);
  out.number(Record::kLastFieldNumber, receipt.last.value);
  out.signed_number(Record::kTimeUsFieldNumber, receipt.time.micros);
  out.number(Record::kCreatedFieldNumber, receipt.created ? 1 : 0);
  if (!receipt.fork.empty()) out.bytes(Record::kForkFieldNumber, receipt.fork.view());
}

/// Roles are one byte each.
void write(const MessagesAppended& appended, RecordWriter& out) {
  using Record = pb::AppendedRecord;
  out.number(Record::kFirstFieldNumber, appended.first.value);
  out.number(Record::kBytesFieldNumber, appended.bytes);
  std::string roles;
  for (const AppendedMessage& message : appended.messages) {
    roles.push_back(static_cast<char>(message.role));
  }
  out.text(Record::kRolesFieldNumber, roles);
}

}  // namespace

bool is_fast(const Event& event) {
  const auto* appended = std::get_if<MessagesAppended>(&event.body);
  return appended != nullptr && !appended->charged();
}

void write_fast(const Event& event, RecordWriter& out) {
  using Record = pb::EventRecord;
  out.number(Record::kVersionFieldNumber, event.version.value);
  out.signed_number(Record::kTimeUsFieldNumber, event.time.micros);
  if (event.dedup) {
    out.record(Record::kDedupFieldNumber, [&] { write(*event.dedup, out); });
  }
  out.record(Record::kAppendedFieldNumber,
             [&] { write(std::get<MessagesAppended>(event.body), out); });
}

void write_fast(const IndexRow& row, RecordWriter& out) {
  using Record = pb::IndexRowRecord;
  out.text(Record::kUserFieldNumber, row.user);
  for (const auto& label : row.labels) {
    out.record(Record::kLabelsFieldNumber, [&] {
      out.bytes(1, label.first);
      out.bytes(2, label.second);
    });
  }
  out.number(Record::kLifecycleFieldNumber, static_cast<uint64_t>(row.lifecycle));
  out.signed_number(Record::kLastActivityUsFieldNumber, row.last_activity.micros);
}

}  // namespace parley::codec
