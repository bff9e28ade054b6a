#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "conversation/command.hpp"
#include "conversation/limits.hpp"
#include "conversation/model.hpp"
#include "parley/v1/conversation.pb.h"
#include "services/page_token.hpp"
#include "services/violations.hpp"

/// Between the API's messages and the domain, both ways. Pure: no clock, no storage, no network.
namespace parley {

/// A command with all that it carries; what actors take as Mutate.
struct Asked {
  Command command;
  CommandMeta meta;
};

// Changes. Each checks the request first (services/validate.hpp).
Checked<Asked> translate(const v1::CreateConversationRequest& request, const Limits& limits);
/// Fills in total tokens where they are left zero, hence not const.
Checked<Asked> translate(v1::AppendMessagesRequest& request, const Limits& limits);
Checked<Asked> translate(const v1::UpdateConversationRequest& request, const Limits& limits);
Checked<Asked> translate(const v1::RecordUsageRequest& request, const Limits& limits);
Checked<Asked> translate(const v1::ResetConversationRequest& request, const Limits& limits);
Checked<Asked> translate(const v1::DeleteConversationRequest& request, const Limits& limits);
/// The command is the parent's NoteFork; `child` is fork_thread(request, ...).
Checked<Asked> translate(const v1::ForkConversationRequest& request, std::string child,
                         const Limits& limits);
/// What the fork is asked for once its parent has noted it (`point` is conversation/fork.hpp's). It
/// needs no request id: the history in `point` tells a repetition.
Asked fork_creation(std::string title, ForkPoint point);

/// The id under which to create: the one asked for, else one made from the request id, so that a
/// repetition meets the same conversation, else from `fresh`.
std::string create_thread(const v1::CreateConversationRequest& request, const Id128& fresh);
std::string fork_thread(const v1::ForkConversationRequest& request, const Id128& fresh);

// Parts of commands, for whoever makes commands from something else (imports).
/// Encodes one message as it is stored; fills in total tokens. The message was checked, and its
/// assigned fields are not set.
NewMessage new_message(v1::Message& message);
Policy policy_of(const v1::ConversationPolicy& policy, const Limits& limits);
Charge charge_of(const v1::TokenUsage& usage, const v1::Money* cost, const std::string& model,
                 const std::string& provider);

// Reads.
/// Which messages to show. The bounds on sequences are already in `from` and `to`.
struct CompiledFilter {
  Sequence from{1};
  Sequence to{UINT64_MAX};
  uint32_t roles = 0;  ///< bit of each Role wanted; 0: all
  std::optional<WallTime> from_time;
  std::optional<WallTime> to_time;  ///< exclusive
  google::protobuf::Struct metadata;

  /// False where every message of the range matches.
  [[nodiscard]] bool selective() const {
    return roles != 0 || from_time || to_time || metadata.fields_size() != 0;
  }
};
bool matches(const CompiledFilter& filter, const Message& message);

struct MessageListing {
  CompiledFilter filter;
  bool newest_first = false;
  size_t page_size = 0;                   ///< 1 or more
  std::optional<MessagesPosition> start;  ///< from the page token
  Version min_version;
  uint64_t query = 0;  ///< for the next page token
};
Checked<MessageListing> translate(const v1::ListMessagesRequest& request, const std::string& tenant,
                                  const Limits& limits);

struct ConversationListing {
  std::string user;                           ///< empty: any
  std::map<std::string, std::string> labels;  ///< empty: any
  std::optional<Lifecycle> lifecycle;
  size_t page_size = 0;               ///< 1 or more
  std::optional<ListPosition> after;  ///< from the page token
  uint64_t query = 0;
};
Checked<ConversationListing> translate(const v1::ListConversationsRequest& request,
                                       const std::string& tenant, const Limits& limits);

struct UsageListing {
  size_t page_size = 0;                ///< 0: totals only
  std::optional<UsagePosition> start;  ///< from the page token
  Version min_version;
  uint64_t query = 0;
};
Checked<UsageListing> translate(const v1::GetUsageRequest& request, const std::string& tenant,
                                const Limits& limits);

// Answers.
void fill_time(WallTime time, google::protobuf::Timestamp& out);
WallTime wall_time(const google::protobuf::Timestamp& time);  ///< rounded down to microseconds
void fill_usage(const Usage& usage, v1::TokenUsage& out);
void fill_money(const Money& money, v1::Money& out);
void fill_policy(const Policy& policy, v1::ConversationPolicy& out);
/// Everything but the messages.
void fill_conversation(const State& state, const std::string& thread, v1::Conversation& out);
/// Totals, totals by model, and the version; not the records.
void fill_totals(const State& state, v1::GetUsageResponse& out);
void fill_append_response(const Receipt& receipt, v1::AppendMessagesResponse& out);
/// The entries of the history of usage that came with an event, often none.
std::vector<v1::UsageRecord> usage_records(const Event& event);
v1::Role to_proto(Role role);
v1::ConversationState to_proto(Lifecycle lifecycle);

}  // namespace parley
