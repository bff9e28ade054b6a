#include "storage/rocks_shard_copy.hpp"

#include <utility>

#include "base/check.hpp"
#include "storage/keys.hpp"

namespace parley {
namespace {

/// Of keys and values in one piece, unless a single row is larger.
constexpr size_t k_piece_bytes = 128U << 10;

size_t bytes_of(const RowChange& change) { return change.key.size() + change.value.size(); }

/// Takes a batch apart.
class Taken final : public rocksdb::WriteBatch::Handler {
 public:
  Taken(const RocksStore& store, std::function<void(RowChange)> take) : take_(std::move(take)) {
    for (const Family family : k_all_families) {
      ids_[static_cast<size_t>(family)] = store.family(family)->GetID();
    }
  }

  rocksdb::Status PutCF(uint32_t id, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    return take(RowChange::Kind::put, id, key, value);
  }
  rocksdb::Status DeleteCF(uint32_t id, const rocksdb::Slice& key) override {
    return take(RowChange::Kind::remove, id, key, {});
  }
  rocksdb::Status SingleDeleteCF(uint32_t id, const rocksdb::Slice& key) override {
    return take(RowChange::Kind::remove, id, key, {});
  }
  rocksdb::Status DeleteRangeCF(uint32_t id, const rocksdb::Slice& begin,
                                const rocksdb::Slice& end) override {
    return take(RowChange::Kind::remove_range, id, begin, end);
  }

 private:
  rocksdb::Status take(RowChange::Kind kind, uint32_t id, const rocksdb::Slice& key,
                       const rocksdb::Slice& value) {
    for (const Family family : k_all_families) {
      if (ids_[static_cast<size_t>(family)] != id) continue;
      take_({kind, family, key.ToString(), value.ToString()});
      return rocksdb::Status::OK();
    }
    return rocksdb::Status::InvalidArgument("a family that nobody opened");
  }

  std::array<uint32_t, k_families> ids_{};
  const std::function<void(RowChange)> take_;
};

}  // namespace

bool concerns(const RowChange& change, Shard shard, uint32_t shard_count) {
  const std::string prefix = keys::shard(shard);
  if (change.family != Family::meta) {
    const bool in_range = change.kind != RowChange::Kind::remove_range ||
                          (change.key <= change.value && change.value <= keys::end_of(prefix));
    return change.key.starts_with(prefix) && in_range;
  }
  if (change.kind == RowChange::Kind::remove_range) return false;
  if (const auto hash = keys::parse_damaged(change.key)) {
    return shard_of(*hash, shard_count) == shard;
  }
  const auto scrub = keys::parse_scrub(change.key);
  return scrub && change.kind == RowChange::Kind::put && scrub->begin.starts_with(prefix) &&
         change.value <= keys::end_of(prefix);
}

// Why between two writes: a row that is put twice would not be gone when it is removed once.
RocksShardCopy::RocksShardCopy(const RocksStore& store, Shard shard, uint32_t shard_count,
                               size_t changed_max)
    : store_(store),
      shard_(shard),
      shard_count_(shard_count),
      changed_max_(changed_max),
      prefix_(keys::shard(shard)) {
  store_.add_tap(*this, [this] { view_.emplace(store_); });
}

RocksShardCopy::~RocksShardCopy() { store_.remove_tap(*this); }

Result<std::string> RocksShardCopy::next() {
  while (true) {
    const bool rows = view_.has_value();
    auto changes = rows ? next_rows() : next_changes();
    if (!changes.ok()) return changes.status();
    if (!changes->empty()) return encode_changes(*changes);
    if (!rows) return std::string();
  }
}

Result<RowChanges> RocksShardCopy::next_rows() {
  RowChanges rows;
  for (size_t bytes = 0; view_ && bytes < k_piece_bytes;) {
    if (!scan_) {
      const bool marks = step_ == k_sharded_families.size();
      const std::string begin = marks ? "D" : prefix_;
      const std::string end = marks ? "E" : keys::end_of(prefix_);
      scan_.emplace(
          view_->scan(marks ? Family::meta : k_sharded_families[step_],
                      {.begin = begin, .end = end, .within_prefix = false, .fill_cache = false}));
      scan_->seek(begin);
    }
    const auto ended = read_on(rows, bytes);
    if (!ended.ok()) return ended.status();
    if (!*ended) break;
    scan_.reset();
    if (++step_ > k_sharded_families.size()) view_.reset();
  }
  return rows;
}

Result<bool> RocksShardCopy::read_on(RowChanges& rows, size_t& bytes) {
  const Family family =
      step_ == k_sharded_families.size() ? Family::meta : k_sharded_families[step_];
  for (; scan_->valid() && bytes < k_piece_bytes; scan_->next()) {
    RowChange row{RowChange::Kind::put, family, std::string(scan_->key()),
                  std::string(scan_->value())};
    if (!concerns(row, shard_, shard_count_)) continue;
    bytes += bytes_of(row);
    rows.push_back(std::move(row));
  }
  if (scan_->valid()) return false;
  if (Status status = scan_->status(); !status.ok()) return status;
  return true;
}

Result<RowChanges> RocksShardCopy::next_changes() {
  const std::lock_guard lock(mutex_);
  if (overrun_) {
    return absl::ResourceExhaustedError("the shard changes faster than it can be copied");
  }
  RowChanges changes;
  for (size_t bytes = 0; !changed_.empty() && bytes < k_piece_bytes;) {
    bytes += bytes_of(changed_.front());
    changes.push_back(std::move(changed_.front()));
    changed_.pop_front();
    changed_bytes_ -= bytes_of(changes.back());
  }
  return changes;
}

void RocksShardCopy::wrote(const rocksdb::WriteBatch& batch) {
  Taken taken(store_, [this](RowChange change) { take(std::move(change)); });
  const auto status = batch.Iterate(&taken);
  PARLEY_CHECK(status.ok());  // it was written
}

void RocksShardCopy::take(RowChange change) {
  if (!concerns(change, shard_, shard_count_)) return;
  const std::lock_guard lock(mutex_);
  changed_bytes_ += bytes_of(change);
  overrun_ = overrun_ || changed_bytes_ > changed_max_;
  if (overrun_) return changed_.clear();
  changed_.push_back(std::move(change));
}

}  // namespace parley
