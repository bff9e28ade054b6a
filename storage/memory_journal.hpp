#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "conversation/limits.hpp"
#include "storage/effects.hpp"
#include "storage/journal.hpp"

namespace parley {

struct MemoryOptions {
  uint32_t shard_count = 256;
  /// Commits are carried out, in groups, by a thread of the journal's; otherwise by the caller of
  /// commit().
  bool worker_thread = false;
  /// Runs what tells the waiters, where set; otherwise whoever carried out the commits does.
  std::function<void(std::function<void()>)> executor;
  Limits limits;
};

/// A journal that keeps everything in this process's memory and nothing beyond it.
///
/// Owned by tests, or by a server that is told to keep nothing. Any thread may call it.
/// Invariants: those of Journal; "durable" means in memory.
/// Not its job: bounding its memory: it grows with what is stored.
class MemoryJournal final : public Journal {
 public:
  explicit MemoryJournal(MemoryOptions options = {});
  ~MemoryJournal() override;
  MemoryJournal(const MemoryJournal&) = delete;
  MemoryJournal& operator=(const MemoryJournal&) = delete;

  Result<Loaded> load(const ConversationKey& key, Shard shard) override;
  void commit(Commit commit, CommitWaiter* waiter) override;
  /// Does nothing: the present state is kept at hand anyway.
  void keep_snapshot(const ConversationKey& key, Shard shard,
                     std::shared_ptr<const State> state) override;
  void release(const ConversationKey& key) override;
  Status raise_epoch(Shard shard, Epoch epoch) override;
  Epoch epoch(Shard shard) const override;
  Result<State> read_state(const ConversationKey& key, Shard shard) override;
  Result<State> read_state_at(const ConversationKey& key, Shard shard, Version version) override;
  Result<EventList> read_events(const ConversationKey& key, Shard shard, Version after,
                                PageBounds bounds) override;
  Result<std::vector<Message>> read_messages(const MessageRange& range, PageBounds bounds) override;
  Result<ListedPage> list(const ListQuery& query) override;
  Result<std::vector<UnfinishedRelease>> unfinished_releases() override;

 private:
  struct Stored {
    State before;      ///< what was left when its first event came
    EventList events;  ///< without bodies
    State state;
  };
  struct Task {
    Commit commit;
    CommitWaiter* waiter;
    bool loaded;
  };
  struct Told {
    CommitWaiter* waiter;
    WriteOutcome outcome;
  };
  using HistoryPlace = std::pair<Shard, Id128>;

  WriteOutcome carry_out(const Task& task);
  void store(const Commit& commit, Stored& stored);
  void drop(const HistoryPlace& place, Sequence keep);
  Result<std::vector<Message>> page(const MessageRange& range, PageBounds bounds) const;
  [[nodiscard]] std::shared_ptr<const std::string> body_of(const HistoryPlace& place,
                                                           Sequence sequence) const;
  void fill_bodies(MessagesAppended& appended, const HistoryPlace& place) const;
  void tell(std::vector<Told> told);
  void work();

  const MemoryOptions options_;
  mutable std::mutex mutex_;  ///< guards all below
  std::condition_variable arrived_;
  std::deque<Task> queue_;
  bool stopping_ = false;
  std::map<ConversationKey, uint32_t> loads_;  ///< activations that were not released
  std::map<ConversationKey, Stored> conversations_;
  std::map<HistoryPlace, std::map<Sequence, Message>> histories_;
  std::vector<Epoch> epochs_;
  std::thread worker_;
};

}  // namespace parley
