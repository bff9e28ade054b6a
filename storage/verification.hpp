#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/offline.hpp"
#include "storage/stored_conversation.hpp"

namespace parley {

/// Reads and checks everything in a store: every block's checksum, every conversation's events
/// against its snapshot and head, every message of every history, every index row both ways.
///
/// On the stack of whoever verifies; reads one view. What it keeps does not grow with the store,
/// but for the names of one shard where that is damaged.
/// Not its job: the log.
class Verification {
 public:
  using Progress = std::function<void(const VerifyReport&)>;
  using Elsewhere = std::function<bool(Shard)>;
  /// Shards that lie `elsewhere` are not looked at: what is here of them is on its way. Null:
  /// nothing does.
  Verification(const StoreView& view, uint32_t shard_count, Elsewhere elsewhere, Progress progress);
  /// What was found in the log or elsewhere comes first.
  void add_problem(std::string where, std::string what);
  Result<VerifyReport> run();

 private:
  /// One conversation as its keys are met, in their order.
  struct Subject {
    std::string prefix;
    Shard shard;
    ConversationKey key;
    State state;
    bool fits = true;  ///< nothing wrong so far
    bool has_head = false;
    std::optional<State> snapshot;
    HeadRow head;
  };

  void check_blocks();
  void check_file(const std::string& path);
  [[nodiscard]] bool is_here(Shard shard) const { return !elsewhere_ || !elsewhere_(shard); }
  /// By a row's key, which begins with its shard.
  [[nodiscard]] bool is_here(std::string_view key) const;
  Status check_conversations();
  Status check_shard(Shard shard, std::string& done);
  Status check_by_name(Shard shard, const std::string& done);
  Status check_one(const std::string& prefix);
  Status check_nothing_beyond();
  void begin(std::string_view key, Subject& subject);
  void take(std::string_view key, std::string_view value, Subject& subject);
  void take_events(Version last, std::string_view value, Subject& subject);
  void wrong(Subject& subject, std::string what);
  Status finish(Subject& subject);
  Status check_index(const Subject& subject);
  Status check_lineage(const Subject& subject, const Lineage& lineage, Sequence last);
  Status check_no_strays();
  Status check_stray_rows();
  void tell_now_and_then();

  const StoreView& view_;
  const uint32_t shard_count_;
  const Elsewhere elsewhere_;
  const Progress progress_;
  VerifyReport report_;
  uint64_t expected_rows_ = 0;
  uint64_t expected_message_rows_ = 0;
};

}  // namespace parley
