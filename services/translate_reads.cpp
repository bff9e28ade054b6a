#include <algorithm>

#include "parley/v1/message.pb.h"
#include "services/error_table.hpp"
#include "services/metadata_json.hpp"
#include "services/translate.hpp"
#include "services/validate.hpp"

namespace parley {
namespace {

constexpr uint32_t bit_of(int role) { return 1U << static_cast<uint32_t>(role); }

size_t page_size_of(int32_t wanted, const Limits& limits) {
  if (wanted == 0) return limits.page_size_default;
  return std::min(static_cast<size_t>(wanted), limits.page_size_max);
}

/// Times in a filter may have more digits than ours; a bound "not before" or "before" is rounded
/// up.
WallTime rounded_up(const google::protobuf::Timestamp& time) {
  const WallTime down = wall_time(time);
  return time.nanos() % 1'000 == 0 ? down : WallTime{down.micros + 1};
}

CompiledFilter compiled(const v1::MessageFilter& filter) {
  CompiledFilter made;
  made.from = {std::max<uint64_t>(1, static_cast<uint64_t>(filter.from_sequence()))};
  if (filter.to_sequence() > 0) made.to = {static_cast<uint64_t>(filter.to_sequence())};
  for (const int role : filter.roles()) made.roles |= bit_of(role);
  if (filter.has_from_time()) made.from_time = rounded_up(filter.from_time());
  if (filter.has_to_time()) made.to_time = rounded_up(filter.to_time());
  made.metadata = filter.metadata();
  return made;
}

bool metadata_matches(const google::protobuf::Struct& wanted, const std::string& body) {
  v1::Message message;
  if (!message.ParseFromString(body)) return false;
  const auto& fields = message.metadata().fields();
  return std::all_of(wanted.fields().begin(), wanted.fields().end(), [&](const auto& member) {
    const auto found = fields.find(member.first);
    return found != fields.end() && equal_values(member.second, found->second);
  });
}

}  // namespace

bool matches(const CompiledFilter& filter, const Message& message) {
  if (message.sequence < filter.from || message.sequence > filter.to) return false;
  if (filter.roles != 0 && (filter.roles & bit_of(static_cast<int>(message.role))) == 0)
    return false;
  if (filter.from_time && message.create_time < *filter.from_time) return false;
  if (filter.to_time && message.create_time >= *filter.to_time) return false;
  return filter.metadata.fields_size() == 0 || metadata_matches(filter.metadata, *message.body);
}

Checked<MessageListing> translate(const v1::ListMessagesRequest& request, const std::string& tenant,
                                  const Limits& limits) {
  if (auto error = validate(request, limits)) return *std::move(error);
  MessageListing listing{.filter = compiled(request.filter()),
                         .newest_first = request.order() == v1::MESSAGE_ORDER_NEWEST_FIRST,
                         .page_size = page_size_of(request.page_size(), limits),
                         .start = std::nullopt,
                         .min_version = {static_cast<uint64_t>(request.min_version())},
                         .query = query_hash(request, tenant)};
  if (request.page_token().empty()) return listing;
  auto position = parse_messages_token(request.page_token(), listing.query);
  if (auto* error = std::get_if<ApiError>(&position)) return std::move(*error);
  listing.start = std::get<MessagesPosition>(position);
  return listing;
}

Checked<ConversationListing> translate(const v1::ListConversationsRequest& request,
                                       const std::string& tenant, const Limits& limits) {
  if (auto error = validate(request, limits)) return *std::move(error);
  ConversationListing listing{.user = request.user_id(),
                              .labels = {request.labels().begin(), request.labels().end()},
                              .lifecycle = std::nullopt,
                              .page_size = page_size_of(request.page_size(), limits),
                              .after = std::nullopt,
                              .query = query_hash(request, tenant)};
  if (request.state() != v1::CONVERSATION_STATE_UNSPECIFIED) {
    listing.lifecycle = static_cast<Lifecycle>(request.state());
  }
  if (request.page_token().empty()) return listing;
  auto position = parse_list_token(request.page_token(), listing.query);
  if (auto* error = std::get_if<ApiError>(&position)) return std::move(*error);
  listing.after = std::get<ListPosition>(std::move(position));
  return listing;
}

Checked<UsageListing> translate(const v1::GetUsageRequest& request, const std::string& tenant,
                                const Limits& limits) {
  if (auto error = validate(request, limits)) return *std::move(error);
  UsageListing listing{
      .page_size = std::min(static_cast<size_t>(request.page_size()), limits.page_size_max),
      .start = std::nullopt,
      .min_version = {static_cast<uint64_t>(request.min_version())},
      .query = query_hash(request, tenant)};
  if (request.page_token().empty()) return listing;
  auto position = parse_usage_token(request.page_token(), listing.query);
  if (auto* error = std::get_if<ApiError>(&position)) return std::move(*error);
  listing.start = std::get<UsagePosition>(position);
  return listing;
}

}  // namespace parley
