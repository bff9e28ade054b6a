#include "storage/applier.hpp"
#include "storage/codec_rows.hpp"
#include "storage/keys.hpp"
#include "storage/local_journal.hpp"
#include "storage/rocks_shard_copy.hpp"
#include "storage/upkeep.hpp"

/// The local journal's part in moving a shard from node to node: rows go as they are stored,
/// through the one thread that writes rows.
namespace parley {

Status LocalJournal::settle() { return applier_->wait_for_all(); }

std::unique_ptr<ShardCopy> LocalJournal::copy_shard(Shard shard) {
  return std::make_unique<RocksShardCopy>(*store_, shard, options_.shard_count);
}

Status LocalJournal::take_rows(Shard shard, std::string_view changes) {
  auto rows = decode_changes(changes);
  if (!rows.ok()) return rows.status();
  for (RowChange& row : *rows) {
    if (!concerns(row, shard, options_.shard_count)) {
      return absl::InvalidArgumentError("rows of another shard than the one that is moved");
    }
    const bool put = row.kind == RowChange::Kind::put && row.family == Family::index;
    const auto expiry = put ? keys::parse_expiry(row.key) : std::nullopt;
    // Of the age of the store that it comes from, which says nothing here.
    if (expiry) row.key = keys::expiry(shard, {}, expiry->key);
  }
  return applier_->change_rows(*std::move(rows));
}

/// Why the flush: the log may hold commits of the shard's, and must not bring them back.
Status LocalJournal::erase_shard(Shard shard) {
  if (Status status = applier_->wait_for_all(); !status.ok()) return status;
  RowChanges changes;
  const std::string begin = keys::shard(shard);
  const std::string end = keys::end_of(begin);
  const uint64_t number = store_->db().GetLatestSequenceNumber();
  for (const Family family : k_sharded_families) {
    changes.push_back({RowChange::Kind::remove_range, family, begin, end});
    changes.push_back({RowChange::Kind::put, Family::meta,
                       keys::scrub(static_cast<char>(family), number, begin), end});
  }
  {
    const StoreView view(*store_);
    auto marks = view.scan(Family::meta,
                           {.begin = "D", .end = "E", .within_prefix = false, .fill_cache = false});
    for (marks.seek("D"); marks.valid(); marks.next()) {
      RowChange unmarked{RowChange::Kind::remove, Family::meta, std::string(marks.key()), {}};
      if (concerns(unmarked, shard, options_.shard_count)) changes.push_back(std::move(unmarked));
    }
    if (Status status = marks.status(); !status.ok()) return status;
  }
  if (Status status = applier_->change_rows(std::move(changes)); !status.ok()) return status;
  return upkeep_->flush();
}

}  // namespace parley
