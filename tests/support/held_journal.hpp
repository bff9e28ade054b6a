#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "storage/memory_journal.hpp"

namespace parley {

/// A memory journal whose commits a test releases one by one.
///
/// What it can do wrong: hold a commit for as long as the test likes; refuse it with any outcome,
/// in which case nothing was stored (also for `unknown`); fail to load.
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

  [[nodiscard]] size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] const Batch& next() const { return waiting_.front().commit.batch; }
  /// Commits pass at once.
  void let_all_pass() { pass_ = true; }

  void finish_next() {
    Waiting next = take();
    memory_.commit(std::move(next.commit), next.waiter);
  }
  void refuse_next(WriteOutcome outcome) {
    if (Wakeup* wakeup = take().waiter->on_written(outcome)) wakeup->flush();
  }

  Result<Loaded> load(const ConversationKey& key, Shard shard) override {
    ++loads;
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
  Result<std::vector<ListedConversation>> list(const ListQuery& query) override {
    return memory_.list(query);
  }
  Result<std::vector<UnfinishedRelease>> unfinished_releases() override {
    return memory_.unfinished_releases();
  }

 private:
  Waiting take() {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    return next;
  }

  MemoryJournal memory_;
  std::deque<Waiting> waiting_;
  bool pass_ = false;
};

}  // namespace parley
