#pragma once

#include <string>
#include <utility>

#include "base/result.hpp"
#include "parley/v1/conversation.pb.h"

namespace parley::cli {

/// Texts of the command line as values of the API. Every refusal says what to write instead.

Result<v1::Role> parse_role(const std::string& text);
Result<v1::ConversationState> parse_state(const std::string& text);
/// "key=value"; the value may be empty and may hold '='.
Result<std::pair<std::string, std::string>> parse_label(const std::string& text);
/// "12.5 USD", "12.5USD", "USD 12.5": exact, at most nine decimals.
Result<v1::Money> parse_money(const std::string& text);
/// A point in time as RFC 3339 has it: 2024-05-01T12:00:00Z.
Status parse_time(const std::string& text, google::protobuf::Timestamp* time);
/// Any JSON into its message, a JSON object into a Struct.
Status parse_json(const std::string& text, google::protobuf::Message* message);

/// A UUID of version 4 that nobody has used before.
std::string fresh_request_id();

}  // namespace parley::cli
