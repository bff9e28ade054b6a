#pragma once

#include <map>
#include <string>

#include "conversation/event.hpp"
#include "conversation/model.hpp"

namespace parley {

/// What must be known of a conversation to tell its events.
struct WatchBeginning {
  Id128 history;
  Version reset;  ///< messages from before it are gone
  std::map<Id128, ForkChild> children;

  static WatchBeginning of(const State& state);
};

/// Turns the events of one conversation, in order, into what its watchers are sent.
///
/// A value owned by one watch stream. Keeps what later events need from earlier ones: the history
/// that messages are in, and the names of forks. Not its job: which events there are, and when to
/// send them.
class WatchAnswers {
 public:
  /// `beginning` is of any state read after the watch began, or as made where the conversation does
  /// not exist yet: it holds for all events since its last reset, and those before it come without
  /// bodies.
  WatchAnswers(std::string thread, WatchBeginning beginning)
      : thread_(std::move(thread)), known_(std::move(beginning)) {}

  /// v1.WatchConversationResponse, encoded. Messages that a reset has dropped since are only
  /// counted.
  std::string encode(const Event& event);

  /// Nothing happened.
  static std::string heartbeat(Version version, WallTime now);

 private:
  std::string thread_;
  WatchBeginning known_;
};

}  // namespace parley
