#pragma once

#include <optional>
#include <string_view>

#include "conversation/limits.hpp"
#include "parley/v1/admin.pb.h"
#include "parley/v1/conversation.pb.h"
#include "services/field_path.hpp"
#include "services/violations.hpp"

/// What a request must be, whatever conversation it is for: ids, sizes, counts, enum values, signs.
/// What depends on the conversation is judged by `decide`.
namespace parley {

/// Who gave the messages: a client (fields assigned by the server are refused) or an import (they
/// come with what was exported, and are not looked at; `source_json` may be set).
enum class MessageSource : uint8_t { client, import };

// Whole requests: everything that is wrong, or nothing.
std::optional<ApiError> validate(const v1::CreateConversationRequest& request,
                                 const Limits& limits);
std::optional<ApiError> validate(const v1::GetConversationRequest& request, const Limits& limits);
std::optional<ApiError> validate(const v1::BatchGetConversationsRequest& request,
                                 const Limits& limits);
std::optional<ApiError> validate(const v1::ListConversationsRequest& request, const Limits& limits);
std::optional<ApiError> validate(const v1::UpdateConversationRequest& request,
                                 const Limits& limits);
std::optional<ApiError> validate(const v1::DeleteConversationRequest& request,
                                 const Limits& limits);
std::optional<ApiError> validate(const v1::ResetConversationRequest& request, const Limits& limits);
std::optional<ApiError> validate(const v1::ForkConversationRequest& request, const Limits& limits);
std::optional<ApiError> validate(const v1::AppendMessagesRequest& request, const Limits& limits);
std::optional<ApiError> validate(const v1::ListMessagesRequest& request, const Limits& limits);
std::optional<ApiError> validate(const v1::RecordUsageRequest& request, const Limits& limits);
std::optional<ApiError> validate(const v1::GetUsageRequest& request, const Limits& limits);
std::optional<ApiError> validate(const v1::WatchConversationRequest& request, const Limits& limits);
std::optional<ApiError> validate(const v1::ExportConversationsRequest& request,
                                 const Limits& limits);
std::optional<ApiError> validate(const v1::LocateConversationRequest& request,
                                 const Limits& limits);

// Pieces of requests.
void check_message(const FieldPath& at, const v1::Message& message, MessageSource source,
                   const Limits& limits, Violations& violations);
void check_usage(const FieldPath& at, const v1::TokenUsage& usage, const Limits& limits,
                 Violations& violations);
void check_money(const FieldPath& at, const v1::Money& money, const Limits& limits,
                 Violations& violations);
void check_metadata(const FieldPath& at, const google::protobuf::Struct& metadata,
                    const Limits& limits, Violations& violations);
void check_text_size(const FieldPath& at, std::string_view text, size_t bytes_max,
                     Violations& violations);
/// The conversation's own fields of an import's header; what the server assigns is not looked at.
void check_import_header(const FieldPath& at, const v1::Conversation& header, const Limits& limits,
                         Violations& violations);

}  // namespace parley
