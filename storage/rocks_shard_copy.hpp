#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "storage/codec_rows.hpp"
#include "storage/rocks_store.hpp"
#include "storage/shard_copy.hpp"

namespace parley {

/// Belongs to the shard: a row or a range of its own, the mark of a damaged conversation, what is
/// to be scrubbed of it.
bool concerns(const RowChange& change, Shard shard, uint32_t shard_count);

/// A shard as RocksDB holds it, and as it goes on changing.
class RocksShardCopy final : public ShardCopy, public WriteTap {
 public:
  /// `changed_max`: bytes of changes that may wait to be given out.
  RocksShardCopy(const RocksStore& store, Shard shard, uint32_t shard_count,
                 size_t changed_max = 64U << 20);
  ~RocksShardCopy() override;
  RocksShardCopy(const RocksShardCopy&) = delete;
  RocksShardCopy& operator=(const RocksShardCopy&) = delete;

  Result<std::string> next() override;
  [[nodiscard]] bool caught_up() const override { return !view_.has_value(); }
  void wrote(const rocksdb::WriteBatch& batch) override;

 private:
  Result<RowChanges> next_rows();
  /// What the scan at hand still has, as much as a piece takes; true at its end.
  Result<bool> read_on(RowChanges& rows, size_t& bytes);
  Result<RowChanges> next_changes();
  void take(RowChange change);

  const RocksStore& store_;
  const Shard shard_;
  const uint32_t shard_count_;
  const size_t changed_max_;
  const std::string prefix_;
  std::optional<StoreView> view_;  ///< of the beginning, until all of it was given out
  std::optional<StoreView::Scan> scan_;
  size_t step_ = 0;  ///< which family is read; the last: marks of damage

  std::mutex mutex_;  ///< guards all below
  std::deque<RowChange> changed_;
  size_t changed_bytes_ = 0;
  bool overrun_ = false;
};

}  // namespace parley
