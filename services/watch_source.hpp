#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

#include "conversation/event.hpp"
#include "services/error_table.hpp"
#include "services/node.hpp"
#include "services/watch_answers.hpp"

namespace parley {

using EventLists = std::vector<std::shared_ptr<const EventList>>;

/// Told what becomes of what a WatchSource was asked. On any thread; must not block.
class WatchListener {
 public:
  virtual ~WatchListener() = default;
  virtual void on_beginning(Checked<WatchBeginning> beginning) = 0;
  /// Nothing follows so far; something else comes later.
  virtual void on_waiting() = 0;
  /// Perhaps empty, perhaps not all that there are.
  virtual void on_events(const EventLists& lists) = 0;
  /// The conversation is being reloaded, or put away: ask again a little later.
  virtual void on_not_now() = 0;
  /// The node that has it does not answer: the same, but for how long is not known.
  virtual void on_unreachable(const ApiError& why) = 0;
  virtual void on_refused(const ApiError& error) = 0;
};

/// Asks a conversation of this node, by way of its actor and of storage.
void begin_here(Node& node, const Address& address, bool wait_for_create,
                std::function<void(Checked<WatchBeginning>)> done);
/// `listener` is kept until it was told what follows, or why not.
void follow_here(Node& node, const Address& address, const Follow& wish,
                 std::shared_ptr<WatchListener> listener);
/// Never the same twice in this process.
uint64_t fresh_watcher();

/// One watcher's way to its conversation, wherever that lies.
///
/// Owned by the watch; asked from one place at a time, told from any thread. Of a conversation that
/// lies elsewhere it asks the node that has it, which answers at once, and later says that
/// something follows (services/remote_watches.hpp): nothing stays under way between nodes while
/// nothing happens. What is lost on the way is asked for again. Not its job: patience, and what
/// clients are told.
class WatchSource final : public std::enable_shared_from_this<WatchSource> {
 public:
  WatchSource(Node& node, Address address, bool wait_for_create);

  /// Before anything else.
  void open(std::weak_ptr<WatchListener> listener);
  /// What follows. Once the one before was answered with something else than that it waits.
  void ask(Version after) ABSL_LOCKS_EXCLUDED(mutex_);
  /// To be called several times a second.
  void tick() ABSL_LOCKS_EXCLUDED(mutex_);
  /// Something follows, says the node that has the conversation.
  void nudge() ABSL_LOCKS_EXCLUDED(mutex_);
  /// Nobody listens any more.
  void close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class FollowWaiter;

  /// Of the last question to another node.
  enum class Stage : uint8_t {
    idle,       ///< there is none, or it was answered
    under_way,  ///< it was sent
    waiting,    ///< nothing followed: that node is to say when something does
  };

  void open_elsewhere(const NodeName& owner);
  void ask_elsewhere(const NodeName& owner) ABSL_LOCKS_EXCLUDED(mutex_);
  void on_answer(uint64_t question, const NodeName& owner, PeerAnswer answer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void on_failure(uint64_t question, const ApiError& why) ABSL_LOCKS_EXCLUDED(mutex_);
  /// False where another question was asked since.
  bool settle(uint64_t question) ABSL_LOCKS_EXCLUDED(mutex_);
  void unfollow(const std::optional<NodeName>& owner) ABSL_LOCKS_EXCLUDED(mutex_);
  void unfollow_if_closed() ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] PeerRequest request(const std::string& method, std::string body) const;

  Node& node_;
  const Address address_;
  const bool wait_for_create_;
  const uint64_t id_;       ///< as a watcher of this node
  const std::string name_;  ///< as a watcher of another one
  std::weak_ptr<WatchListener> listener_;

  absl::Mutex mutex_;
  Version after_ ABSL_GUARDED_BY(mutex_);
  std::optional<NodeName> asked_ ABSL_GUARDED_BY(mutex_);  ///< which node, last; none: this one
  uint64_t question_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t session_ ABSL_GUARDED_BY(mutex_) = 0;  ///< that it was asked in
  SteadyTime asked_at_ ABSL_GUARDED_BY(mutex_);
  Stage stage_ ABSL_GUARDED_BY(mutex_) = Stage::idle;
  bool nudged_ ABSL_GUARDED_BY(mutex_) = false;  ///< before it was answered
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace parley
