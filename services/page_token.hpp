#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "parley/v1/conversation.pb.h"
#include "services/violations.hpp"

/// Page tokens: opaque to callers, bound to the query they came from, stable while conversations
/// change. URL-safe base64 of {format, kind, hash of the query, position, checksum}.
namespace parley {

/// Where the next page of messages begins (inclusive). A reset in between makes it void: the
/// listing compares `reset` with the state and answers PAGE_TOKEN_EXPIRED (expired_token below).
struct MessagesPosition {
  Sequence next;
  Version reset;  ///< State::reset_version when the token was made
  bool operator==(const MessagesPosition&) const = default;
};
/// The last conversation of the page before.
struct ListPosition {
  WallTime last_activity;
  std::string thread;
  bool operator==(const ListPosition&) const = default;
};
/// The next record of usage: the event it is in, and how many records of that event were shown.
struct UsagePosition {
  Version version;
  uint64_t skip = 0;
  bool operator==(const UsagePosition&) const = default;
};

std::string make_page_token(const MessagesPosition& position, uint64_t query);
std::string make_page_token(const ListPosition& position, uint64_t query);
std::string make_page_token(const UsagePosition& position, uint64_t query);

/// PAGE_TOKEN_INVALID where the token is not one of ours, of another kind or of another query.
Checked<MessagesPosition> parse_messages_token(std::string_view token, uint64_t query);
Checked<ListPosition> parse_list_token(std::string_view token, uint64_t query);
Checked<UsagePosition> parse_usage_token(std::string_view token, uint64_t query);

/// The hash that binds a token: all fields of the request but page_size and page_token, and the
/// tenant.
uint64_t query_hash(const v1::ListMessagesRequest& request, std::string_view tenant);
uint64_t query_hash(const v1::ListConversationsRequest& request, std::string_view tenant);
uint64_t query_hash(const v1::GetUsageRequest& request, std::string_view tenant);

/// FAILED_PRECONDITION PAGE_TOKEN_EXPIRED: the conversation was reset since the token was made.
ApiError expired_token(const std::string& thread);

}  // namespace parley
