#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "storage/heads.hpp"
#include "storage/keys.hpp"
#include "storage/rocks_store.hpp"

namespace parley {

/// Forgets what is left of deleted conversations, once no retry needs it any more.
///
/// Goes by how long the store was in use since a purge first met what was left, and by no wall
/// clock: one that jumps would make a repeated deletion, and whatever came before it, a new call.
/// Owned by the applier, used on its thread. Invariant: what is left of a later deletion is not
/// taken for that of an earlier one.
class Forgetting {
 public:
  /// `elsewhere`: the shard is another node's; empty: none is.
  Forgetting(const RocksStore& store, Heads& heads, std::function<bool(Shard)> elsewhere)
      : store_(store), heads_(heads), elsewhere_(std::move(elsewhere)) {}

  /// The store was in use for `passed` since the last one. Answers whether there is more to do than
  /// is done at once.
  Result<bool> purge(std::chrono::microseconds passed);

 private:
  /// A row that says that something is left.
  struct Listed {
    std::string row;
    std::string request;  ///< which deletion it is of: Id128, or empty
    Shard shard;
    keys::ListedKey key;
  };
  struct Found {
    std::vector<Listed> fresh;  ///< without a time so far
    std::vector<Listed> due;
    bool any = false;   ///< any row, these or others
    bool more = false;  ///< than these, of the same kinds
  };

  [[nodiscard]] Result<keys::StoreAge> age() const;
  Found find(keys::StoreAge age, Status& status) const;
  /// Gives each its time, and writes how old the store is.
  Status set_times(const Found& found, keys::StoreAge age);
  Status forget(const Listed& listed);

  const RocksStore& store_;
  Heads& heads_;
  const std::function<bool(Shard)> elsewhere_;
};

}  // namespace parley
