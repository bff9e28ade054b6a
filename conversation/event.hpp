#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/boxed.hpp"
#include "conversation/model.hpp"

/// What happened: facts in the past tense. Additive only: a stored event keeps its meaning for
/// ever, a new meaning is a new event.
namespace parley {

struct ConversationCreated {
  std::string user;
  std::string title;
  std::string metadata;
  std::map<std::string, std::string> labels;
  Policy policy;
  std::string source_json;
  Lineage lineage;  ///< its own history, and the past it shares if it is a fork
  std::optional<ForkOrigin> origin;
};

/// A message's part in an event. `body` is null when the event was read back without its messages,
/// which storage keeps once, under their sequence.
struct AppendedMessage {
  Role role = Role::user;
  std::shared_ptr<const std::string> body;
  Boxed<Charge> charge;
};

struct MessagesAppended {
  Sequence first;
  uint64_t bytes = 0;  ///< of all bodies
  std::vector<AppendedMessage> messages;

  /// Some message was paid for: a provider answered it.
  [[nodiscard]] bool charged() const {
    return std::any_of(messages.begin(), messages.end(),
                       [](const AppendedMessage& message) { return message.charge.has_value(); });
  }
};

/// How it stands afterwards, not what was asked.
struct ConversationUpdated {
  std::string user;
  std::string title;
  std::string metadata;
  std::map<std::string, std::string> labels;
  Policy policy;
  Lifecycle lifecycle = Lifecycle::active;
};

struct UsageRecorded {
  Charge charge;
};

/// Messages of a history after `keep` are nobody's any more; storage erases them.
struct HistoryDrop {
  Id128 history;
  Sequence keep;
};

struct ConversationReset {
  Lineage lineage;  ///< the new, empty one
  std::vector<HistoryDrop> drops;
};

struct ForkNoted {
  ForkChild child;
};

struct ForkReleased {
  Id128 child_history;
  std::vector<HistoryDrop> drops;
};

/// A parent knows that its child is gone.
struct ReleaseConfirmed {
  Id128 child_history;
};

struct ConversationDeleted {
  std::vector<HistoryDrop> drops;
};

using EventBody =
    std::variant<ConversationCreated, MessagesAppended, ConversationUpdated, UsageRecorded,
                 ConversationReset, ForkNoted, ForkReleased, ReleaseConfirmed, ConversationDeleted>;

/// One durable change: it raises the version by one. The last event of a call carries what a
/// repetition of that call is answered with.
struct Event {
  Version version;
  WallTime time;
  std::optional<DedupEntry> dedup;
  EventBody body;
};

using EventList = std::vector<Event>;

}  // namespace parley
