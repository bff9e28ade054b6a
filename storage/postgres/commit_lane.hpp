#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "storage/heads.hpp"
#include "storage/postgres/commit_rows.hpp"
#include "storage/postgres/connection.hpp"
#include "storage/telling.hpp"

namespace parley::postgres {

/// A snapshot to be kept of what is committed.
struct SnapshotWish {
  ConversationKey key;
  std::shared_ptr<const State> state;
};

/// Commits of some shards: what gathers while one group is written becomes the next, one statement.
/// Where more has gathered than a group may have, the next ones are sent behind it, before it is
/// answered: the database goes from one to the next without a word from here.
///
/// Owned by a journal; has one thread and one session. Any thread may submit; waiters are told on
/// the lane's thread. Invariants: I1 (nobody is told committed before the database said so); where
/// the outcome of a group is unknown, its shards' epochs are raised before anything of them is read
/// or written again, so that what may still be under way there comes too late.
class CommitLane {
 public:
  struct Options {
    ConnectionOptions connection;
    size_t group_commits_max = 128;
    size_t groups_max = 4;  ///< under way
    size_t group_bytes_max = 4U << 20;
    size_t snapshots_max = 256;  ///< that wait; more are forgotten
  };
  /// `uncertain`: by shard; set while a group's outcome is unknown there.
  CommitLane(Options options, Heads& heads, std::vector<std::atomic<bool>>& uncertain);
  /// Writes what was submitted first, as far as the database answers.
  ~CommitLane();
  CommitLane(const CommitLane&) = delete;
  CommitLane& operator=(const CommitLane&) = delete;

  /// Each conversation has at most one under way, as Heads sees to it.
  void submit(std::shared_ptr<Pending> pending);
  void keep_snapshot(SnapshotWish wish);

  [[nodiscard]] size_t queued_bytes() const {
    return queued_bytes_.load(std::memory_order_relaxed);
  }

 private:
  using Group = std::vector<std::shared_ptr<Pending>>;

  void run();
  using Outcomes = Result<std::vector<WriteOutcome>>;  ///< the error where all had the same one
  Group next_group();
  /// One behind the other; tells each when it is answered.
  void write(const std::vector<Group>& groups);
  Status write(const Group& group);
  Outcomes try_to_write(const Group& group);
  static CommitRows rows_of(const Group& group);
  static Outcomes outcomes_of(const Group& group, const Result<Rows>& answer);
  /// Tells what became of a group, and answers it.
  Status conclude(const Group& group, const Outcomes& outcomes);
  /// One by one: what is wrong with one is not the others' fault.
  Status write_apart(const Group& group);
  void tell(const Group& group, const std::vector<WriteOutcome>& outcomes);
  void tell_all(const Group& group, WriteOutcome outcome);
  /// Until nothing of the group can be carried out any more that was not by then; what comes
  /// meanwhile is turned away.
  void settle_epochs(const Group& group);
  Status raise_epochs(const Group& group);
  /// What waits is told that it was not written.
  void turn_away();
  void write_snapshot(const SnapshotWish& wish);
  /// False where the lane is to end.
  bool rest(std::chrono::milliseconds time);

  const Options options_;
  Heads& heads_;
  std::vector<std::atomic<bool>>& uncertain_;
  Session session_;  ///< the thread's
  std::atomic<size_t> queued_bytes_{0};

  std::mutex mutex_;  ///< guards all below
  std::condition_variable arrived_;
  std::deque<std::shared_ptr<Pending>> queue_;
  std::deque<SnapshotWish> snapshots_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace parley::postgres
