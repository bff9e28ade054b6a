#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

#include "storage/damage.hpp"
#include "storage/stored_conversation.hpp"

namespace parley {

/// The heads of conversations that changed lately, so that applying does not read them again.
///
/// Owned by whoever applies; one thread. Bounded: forgets everything when it is full.
class HeadCache {
 public:
  using Row = std::optional<HeadRow>;
  [[nodiscard]] const Row* find(const ConversationKey& key) const;
  void keep(const ConversationKey& key, const Row& row);
  void forget(const ConversationKey& key) { rows_.erase(key); }

 private:
  static constexpr size_t k_rows_max = 16384;
  absl::flat_hash_map<ConversationKey, Row> rows_;
};

/// What a round of commits does to the store, gathered into one write.
///
/// On the stack of whoever applies: one thread at a time for a store. Commits that were added must
/// outlive it. Of several commits of a conversation only the last index row and head are written,
/// and their events and messages share rows.
/// Invariants: I3 (a commit that does not follow on what is stored marks its conversation damaged).
/// Not its job: deciding what is in a round.
class Round {
 public:
  Round(const RocksStore& store, HeadCache& heads, Damage& damage);

  /// UNAVAILABLE where the store could not be read: nothing was added, the round is to be thrown
  /// away.
  Status add(const Commit& commit);
  Status add_snapshot(const ConversationKey& key, Shard shard, std::shared_ptr<const State> state);
  void raise_epoch(Shard shard, Epoch epoch);
  void mark_damaged(uint64_t key_hash);

  /// Writes it all, with its place in the log if it ends with a whole frame. May be repeated if it
  /// fails.
  Status write(std::optional<log::Mark> applied);
  [[nodiscard]] bool erased() const { return erased_; }
  [[nodiscard]] size_t bytes() const { return batch_.GetDataSize(); }

 private:
  struct Touched {
    ConversationKey key;
    Shard shard;
    std::string prefix;
    HeadCache::Row before;
    HeadCache::Row now;
    std::optional<IndexRow> index_before;
    std::optional<IndexRow> index_after;
    std::vector<const Commit*> commits;
    std::vector<const Event*> events;     ///< to be written, in order
    std::vector<PlacedMessage> messages;  ///< to be written, in order within each history
    bool releases_moved = false;
  };

  Result<Touched*> touch(const ConversationKey& key, Shard shard);
  Touched* touch_as(const ConversationKey& key, Shard shard, const HeadCache::Row& row);
  void store(const Commit& commit, Touched& touched, Effects& effects);
  void erase(const Commit& commit, Touched& touched, bool damaged);
  Status drop(Touched& touched, const HistoryDrop& drop);
  static void keep_part(Touched& touched, const HistoryDrop& drop, std::vector<Message> row);
  Status finish();
  void write_events(const Touched& touched);
  void write_messages(const Touched& touched);
  void finish_index(const Touched& touched);
  Status finish_releases(const Touched& touched);
  void remove_index_rows(const Touched& touched);
  [[nodiscard]] bool is_damaged(uint64_t key_hash) const;
  void schedule_scrub(Family family, const std::string& begin, const std::string& end);

  void put(Family family, std::string_view key, std::string_view value);
  void remove(Family family, std::string_view key);
  void remove_row(std::string_view key);
  void remove_range(Family family, std::string_view begin, std::string_view end);
  /// What was stored of a range before the round.
  void remove_stored(Family family, const std::string& begin, const std::string& end);

  const RocksStore& store_;
  HeadCache& heads_;
  Damage& damage_;
  const StoreView view_;  ///< before the round
  rocksdb::WriteBatch batch_;
  absl::flat_hash_map<ConversationKey, std::unique_ptr<Touched>> touched_;
  absl::flat_hash_set<uint64_t> damaged_;  ///< marked by this round
  absl::flat_hash_set<uint64_t> healed_;   ///< damaged before, erased by this round
  bool erased_ = false;
  bool finished_ = false;
};

/// All index keys of a conversation that shows `row`.
std::vector<std::string> index_keys(Shard shard, const ConversationKey& key, const IndexRow& row);

}  // namespace parley
