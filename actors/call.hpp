#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "conversation/engine.hpp"

/// What travels to a conversation's actor and how it comes back.
namespace parley {

/// Whose conversation a call is for, with everything worked out once.
struct Address {
  ConversationKey key;
  uint64_t hash = 0;
  Shard shard;

  static Address of(ConversationKey key, uint32_t shard_count) {
    const uint64_t hash = key_hash(key);
    return {std::move(key), hash, shard_of(hash, shard_count)};
  }
};

/// Carry out a command.
struct Mutate {
  Command command;
  CommandMeta meta;
  bool render = false;  ///< `Call::render` sees the conversation right after the change
};

/// Read the conversation; `Call::render` makes the answer.
struct Read {
  Version min_version;
};

/// Which durable events follow a version. Answered by `Call::events` when there are some, by
/// `Call::look_back` when they lie further back than the actor remembers; waits when there are
/// none, and is told so by `Call::waits`.
struct Follow {
  Version after;
  uint64_t watcher = 0;  ///< names the watcher for the limit and for Unfollow
  bool wait_for_create = false;
};

/// A call to one conversation.
///
/// Owned by nobody while under way: it is answered exactly once, by `answer`, `fail`, `events` or
/// `look_back`, and takes care of itself from then on. `render` comes before `answer` on the
/// actor's thread; the answering functions may come on any thread and must not block.
class Call {
 public:
  using Kind = std::variant<Mutate, Read, Follow>;

  virtual ~Call() = default;

  Address to;
  Kind what;

  /// The caller has gone or its deadline has passed: not begun any more.
  [[nodiscard]] virtual bool expired() const { return false; }

  virtual void render(const State& state, const RecentMessages& recent) {
    (void)state;
    (void)recent;
  }
  virtual void answer(Outcome outcome, bool replayed) = 0;
  /// Storage could not be asked: UNAVAILABLE, DATA_LOSS, ...
  virtual void fail(Status status) = 0;

  virtual void events(std::vector<std::shared_ptr<const EventList>> lists) { (void)lists; }
  virtual void look_back(Version durable) { (void)durable; }
  /// Not an answer: that comes when something follows. On the actor's thread.
  virtual void waits() {}
};

}  // namespace parley
