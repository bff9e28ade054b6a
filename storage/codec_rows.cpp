#include "storage/codec_rows.hpp"

#include <utility>

#include "parley/storage/v1/storage.pb.h"

namespace parley {
namespace {

namespace pb = storage::v1;

Status read(pb::RowChangeRecord& record, RowChange& change) {
  if (record.family() >= k_families) {
    return absl::UnimplementedError("rows of a family that this release does not know; upgrade");
  }
  change.family = static_cast<Family>(record.family());
  change.key = std::move(*record.mutable_key());
  switch (record.change_case()) {
    case pb::RowChangeRecord::kValue:
      change.kind = RowChange::Kind::put;
      change.value = std::move(*record.mutable_value());
      return absl::OkStatus();
    case pb::RowChangeRecord::kRemoved:
      change.kind = RowChange::Kind::remove;
      return absl::OkStatus();
    case pb::RowChangeRecord::kRemovedTo:
      change.kind = RowChange::Kind::remove_range;
      change.value = std::move(*record.mutable_removed_to());
      return absl::OkStatus();
    case pb::RowChangeRecord::CHANGE_NOT_SET:
      break;
  }
  return absl::UnimplementedError("a change of rows that this release does not know; upgrade");
}

}  // namespace

std::string encode_changes(const RowChanges& changes) {
  pb::RowChangesRecord record;
  for (const RowChange& change : changes) {
    auto& out = *record.add_changes();
    out.set_family(static_cast<uint32_t>(change.family));
    out.set_key(change.key);
    switch (change.kind) {
      case RowChange::Kind::put:
        out.set_value(change.value);
        break;
      case RowChange::Kind::remove:
        out.set_removed(true);
        break;
      case RowChange::Kind::remove_range:
        out.set_removed_to(change.value);
        break;
    }
  }
  return record.SerializeAsString();
}

Result<RowChanges> decode_changes(std::string_view bytes) {
  pb::RowChangesRecord record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("changes of rows that cannot be read");
  }
  RowChanges changes(static_cast<size_t>(record.changes_size()));
  for (int i = 0; i < record.changes_size(); ++i) {
    Status status = read(*record.mutable_changes(i), changes[static_cast<size_t>(i)]);
    if (!status.ok()) return status;
  }
  return changes;
}

}  // namespace parley
