#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/boxed.hpp"
#include "conversation/event.hpp"
#include "conversation/limits.hpp"
#include "conversation/model.hpp"

/// What is asked, in the imperative. A command's own fields were checked where it entered (ids,
/// sizes, UTF-8, enum values); what depends on the conversation is checked by `decide`.
namespace parley {

/// What a fork starts from; made by its parent.
struct ForkPoint {
  ForkOrigin origin;
  ParentLink parent;
  std::vector<HistorySpan> past;
  std::string user;
  std::string title;
  std::string metadata;
  std::map<std::string, std::string> labels;
  Policy policy;
};

struct CreateConversation {
  std::string user;
  std::string title;
  std::string metadata;
  std::map<std::string, std::string> labels;
  Policy policy;
  std::string source_json;
  bool get_or_create = false;
  Boxed<ForkPoint> fork;
};

struct NewMessage {
  Role role = Role::user;
  std::shared_ptr<const std::string> body;
  Boxed<Charge> charge;
};

struct AppendMessages {
  std::vector<NewMessage> messages;
  /// Set: a conversation that does not exist is created first, with this user and policy.
  Boxed<CreateConversation> create_if_missing;
};

/// Absent fields stay as they are.
struct UpdateConversation {
  std::optional<std::string> user;
  std::optional<std::string> title;
  std::optional<std::string> metadata_patch;                       ///< JSON object, RFC 7396
  std::optional<std::map<std::string, std::string>> labels_patch;  ///< an empty value removes
  std::optional<Policy> policy;
  std::optional<Lifecycle> lifecycle;
};

struct RecordUsage {
  Charge charge;
};

struct ResetConversation {};

struct DeleteConversation {
  bool allow_missing = false;
};

/// Asked of the parent: keep what the child will share.
struct NoteFork {
  std::string child_thread;
  std::optional<Sequence> at;  ///< absent: all messages
};

/// Asked of the parent: the child is gone.
struct ReleaseFork {
  Id128 child_history;
};

/// Asked of the child: the parent knows.
struct ConfirmRelease {
  Id128 child_history;
};

using Command =
    std::variant<CreateConversation, AppendMessages, UpdateConversation, RecordUsage,
                 ResetConversation, DeleteConversation, NoteFork, ReleaseFork, ConfirmRelease>;

/// What every command may carry.
struct CommandMeta {
  Id128 request;        ///< empty: not deduplicated
  uint64_t digest = 0;  ///< of the request's body
  std::optional<Version> expected;
};

/// Every outside fact that a decision may rest on.
struct Context {
  WallTime now;
  Id128 fresh_history;  ///< never used before, for whoever starts a history
  Shard shard;          ///< of this conversation
  const Limits* limits = nullptr;
};

}  // namespace parley
