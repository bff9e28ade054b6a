#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "conversation/engine.hpp"

/// The one narrow interface between conversations and whatever keeps them: memory, this machine's
/// log and RocksDB, or PostgreSQL. tests/storage/journal_contract_test.cpp holds each
/// implementation to it.
namespace parley {

/// A batch of one conversation on its way to storage.
struct Commit {
  ConversationKey key;
  uint64_t key_hash = 0;
  Shard shard;
  Epoch epoch;
  Batch batch;
};

/// Somebody to be woken once after a group of commits. Outlives the journal's threads.
class Wakeup {
 public:
  virtual ~Wakeup() = default;
  /// Called on a thread of the journal's after the `on_written` of a whole group: must not block.
  virtual void flush() = 0;
};

/// Told what became of a commit. Owned by whoever commits; must live until it was told.
class CommitWaiter {
 public:
  virtual ~CommitWaiter() = default;
  /// Called exactly once for a commit, on a thread of the journal's: hand it on, do not work in it.
  /// The waiter may be gone, or commit again, as soon as this has returned: the journal does not
  /// touch it after. Answers who is to be woken when the whole group was told, null if nobody; the
  /// journal calls `flush` once for each different one.
  virtual Wakeup* on_written(WriteOutcome outcome) = 0;
};

/// How much a read may return.
struct PageBounds {
  size_t count_max = 50;
  size_t bytes_max = 3U << 20;
};

struct MessageRange {
  std::vector<HistorySpan> spans;  ///< as State::spans gives them
  Sequence from;                   ///< inclusive
  Sequence to;                     ///< inclusive
  bool newest_first = false;
};

/// Which conversations to list. Conditions are joined by AND.
struct ListQuery {
  std::string tenant;
  std::string user;                           ///< empty: any
  std::map<std::string, std::string> labels;  ///< empty: any
  std::optional<Lifecycle> lifecycle;
  /// Continue after this place; absent: from the newest.
  struct After {
    WallTime last_activity;
    std::string thread;
  };
  std::optional<After> after;
  size_t count_max = 50;
};

struct ListedConversation {
  std::string thread;
  WallTime last_activity;
};

struct ListedPage {
  std::vector<ListedConversation> conversations;  ///< newest activity first, ties by thread id
  /// Shards that stored damage keeps from being read whole: some of theirs may be missing above.
  std::vector<Shard> unreadable;
  /// Shards that could not be asked at all now: theirs are missing above.
  std::vector<Shard> unreachable{};
};

/// Whether a conversation is one of those to list, wherever the page begins.
bool matches(const ListQuery& query, const ConversationKey& key, const State& state);

/// A conversation that must tell its parents that it is gone (State::pending_releases).
struct UnfinishedRelease {
  ConversationKey key;
};

/// Keeps conversations. Thread-safe. Reads show everything that was committed before they began,
/// and nothing else; they may block on a disk and are called only where that is allowed.
class Journal {
 public:
  virtual ~Journal() = default;

  /// What is stored, for a new activation; `Loaded{}` where nothing is. From now on commits of this
  /// conversation are accepted, by the version loaded. Loading again deposes the activation before:
  /// its commits are then conflicts once the new one has committed. Errors: DATA_LOSS where stored
  /// bytes fail their checksum (also on every later load, until the conversation is erased),
  /// UNAVAILABLE to try again.
  virtual Result<Loaded> load(const ConversationKey& key, Shard shard) = 0;

  /// Makes a batch durable, all or nothing. Never blocks. Commits of one conversation are carried
  /// out in the order given. Outcomes: committed; fenced where `epoch` is below the shard's;
  /// conflict where the stored version is not `batch.expected`, or the conversation was not loaded;
  /// not_written; unknown. After unknown nothing more is accepted by this journal.
  virtual void commit(Commit commit, CommitWaiter* waiter) = 0;

  /// Keeps a snapshot of what is committed already, some time later: it only saves replaying. Never
  /// blocks, may be forgotten.
  virtual void keep_snapshot(const ConversationKey& key, Shard shard,
                             std::shared_ptr<const State> state) = 0;

  /// The activation is over: nothing more will be committed without loading again.
  virtual void release(const ConversationKey& key) = 0;

  /// Commits below `epoch` are fenced from now on; durable when it returns OK.
  virtual Status raise_epoch(Shard shard, Epoch epoch) = 0;
  virtual Epoch epoch(Shard shard) const = 0;

  /// Committed state without activating. NOT_FOUND where nothing is stored.
  virtual Result<State> read_state(const ConversationKey& key, Shard shard) = 0;
  /// The state as of a version (>= 1, of the present incarnation). NOT_FOUND where there is none.
  virtual Result<State> read_state_at(const ConversationKey& key, Shard shard, Version version) = 0;
  /// Events after a version in order, bodies of messages included; a message that was dropped since
  /// by a reset has no body. Fewer than asked for only at the end or at the bound of bytes.
  virtual Result<EventList> read_events(const ConversationKey& key, Shard shard, Version after,
                                        PageBounds bounds) = 0;
  /// Messages of a range in the asked order, at most what the bounds allow, at least one if there
  /// is one.
  virtual Result<std::vector<Message>> read_messages(const MessageRange& range,
                                                     PageBounds bounds) = 0;

  virtual Result<ListedPage> list(const ListQuery& query) = 0;

  /// All that can be read now; what stored damage hides stays unfinished.
  virtual Result<std::vector<UnfinishedRelease>> unfinished_releases() = 0;
};

}  // namespace parley
