#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "storage/memory_journal.hpp"

namespace parley {

/// A memory journal whose commits a test releases one by one, in any order.
///
/// What it can do wrong: hold a commit for as long as the test likes; refuse it with any outcome,
/// in which case nothing was stored (also for `unknown`); fail to load; and whatever a test makes
/// of `take`, `keep` and `tell`, such as telling an outcome that is not true.
class HeldJournal final : public Journal {
 public:
  struct Waiting {
    Commit commit;
    CommitWaiter* waiter;
  };

  /// Set: the next loads answer this.
  Status load_error;
  int loads = 0;
  int snapshots = 0;
  int releases = 0;
  /// Activations that loaded a conversation and have not released it yet, and the most there were.
  std::map<ConversationKey, int> active;
  int active_max = 0;
  int released_under_way = 0;  ///< with a commit of theirs still held

  [[nodiscard]] size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] const Waiting& held(size_t i) const { return waiting_[i]; }
  [[nodiscard]] const Batch& next() const { return waiting_.front().commit.batch; }
  /// Commits pass at once.
  void let_all_pass() { pass_ = true; }

  void finish_next() {
    Waiting next = take(0);
    memory_.commit(std::move(next.commit), next.waiter);
  }
  void refuse_next(WriteOutcome outcome) { tell(take(0).waiter, outcome); }

  /// A held commit, which is the caller's to finish now.
  Waiting take(size_t i) {
    const auto at = waiting_.begin() + static_cast<ptrdiff_t>(i);
    Waiting taken = std::move(*at);
    waiting_.erase(at);
    return taken;
  }
  /// Stores it if that is right, without telling anybody.
  WriteOutcome keep(Commit commit) {
    struct Noted final : CommitWaiter {
      WriteOutcome outcome = WriteOutcome::unknown;
      Wakeup* on_written(WriteOutcome what) override {
        outcome = what;
        return nullptr;
      }
    } noted;
    memory_.commit(std::move(commit), &noted);
    return noted.outcome;
  }
  static void tell(CommitWaiter* waiter, WriteOutcome outcome) {
    if (Wakeup* wakeup = waiter->on_written(outcome)) wakeup->flush();
  }

  Result<Loaded> load(const ConversationKey& key, Shard shard) override {
    ++loads;
    active_max = std::max(active_max, ++active[key]);
    if (!load_error.ok()) return load_error;
    return memory_.load(key, shard);
  }
  void commit(Commit commit, CommitWaiter* waiter) override {
    if (pass_) return memory_.commit(std::move(commit), waiter);
    waiting_.push_back({std::move(commit), waiter});
  }
  void keep_snapshot(const ConversationKey& key, Shard shard,
                     std::shared_ptr<const State> state) override {
    ++snapshots;
    memory_.keep_snapshot(key, shard, std::move(state));
  }
  void release(const ConversationKey& key) override {
    ++releases;
    --active[key];
    released_under_way +=
        static_cast<int>(std::count_if(waiting_.begin(), waiting_.end(), [&](const Waiting& each) {
          return each.commit.key == key;
        }));
    memory_.release(key);
  }
  Status raise_epoch(Shard shard, Epoch epoch) override {
    return memory_.raise_epoch(shard, epoch);
  }
  Epoch epoch(Shard shard) const override { return memory_.epoch(shard); }
  Result<State> read_state(const ConversationKey& key, Shard shard) override {
    return memory_.read_state(key, shard);
  }
  Result<State> read_state_at(const ConversationKey& key, Shard shard, Version version) override {
    return memory_.read_state_at(key, shard, version);
  }
  Result<EventList> read_events(const ConversationKey& key, Shard shard, Version after,
                                PageBounds bounds) override {
    return memory_.read_events(key, shard, after, bounds);
  }
  Result<std::vector<Message>> read_messages(const MessageRange& range,
                                             PageBounds bounds) override {
    return memory_.read_messages(range, bounds);
  }
  Result<ListedPage> list(const ListQuery& query) override { return memory_.list(query); }
  Result<std::vector<UnfinishedRelease>> unfinished_releases() override {
    return memory_.unfinished_releases();
  }

 private:
  MemoryJournal memory_;
  std::deque<Waiting> waiting_;
  bool pass_ = false;
};

}  // namespace parley
