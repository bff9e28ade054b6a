#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "storage/journal.hpp"
#include "storage/rocks_store.hpp"

namespace parley {

/// One page of a list: the rows of all shards, merged newest first.
///
/// On the stack of whoever lists; reads one view. Each condition (user, a label, or merely the
/// tenant) is a run of index rows in the same order, so conditions are joined by leaping from one
/// to the other, and shards are merged as far as the page needs. A conversation that is not shown
/// is never read, unless the index is damaged: then its shard is listed from the conversations.
class Listing {
 public:
  using Elsewhere = std::function<bool(Shard)>;
  /// Shards that lie `elsewhere` are left out.
  Listing(const StoreView& view, const ListQuery& query, uint32_t shard_count,
          const Elsewhere& elsewhere);
  Result<ListedPage> run();
  /// Shards that had to be listed from their conversations.
  [[nodiscard]] size_t damaged_indexes() const { return damaged_indexes_; }

 private:
  /// Where the merge is in one shard.
  struct Cursor {
    Shard shard;
    std::string from;               ///< rank to go on from
    std::deque<std::string> ranks;  ///< read ahead
    bool exhausted = false;
  };

  std::string prefix(Shard shard, size_t condition) const;
  Status refill(Cursor& cursor, size_t count);
  Status read_index(Cursor& cursor, size_t count);
  /// All that is left of a shard whose index cannot be read.
  Status read_conversations(Cursor& cursor);
  /// Seeks the next rank from `cursor.from` on that all conditions share; false at the end.
  bool leap(const std::vector<std::string>& prefixes, std::string& rank);
  [[nodiscard]] bool shows_lifecycle() const;
  Status status() const;

  const StoreView& view_;
  const ListQuery& query_;
  std::vector<std::pair<std::string, std::string>> labels_;
  std::vector<StoreView::Scan> scans_;  ///< one a condition, moved from shard to shard
  std::vector<Cursor> cursors_;
  std::vector<Shard> unreadable_;
  size_t damaged_indexes_ = 0;
};

}  // namespace parley
