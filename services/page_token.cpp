#include "services/page_token.hpp"

#include <optional>

#include "absl/strings/escaping.h"

#include "base/hash.hpp"
#include "services/digest.hpp"
#include "services/error_table.hpp"

namespace parley {
namespace {

/// Raised whenever the bytes of a token change their meaning; old tokens are then invalid.
constexpr char k_format = 1;
enum class Kind : char { messages = 'm', list = 'l', usage = 'u' };
constexpr uint64_t k_checksum_seed = 0x70616765;  // "page"
constexpr size_t k_token_bytes_max = 512;

void put_u64(uint64_t value, std::string& out) {
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::optional<uint64_t> take_u64(std::string_view& bytes) {
  if (bytes.size() < 8) return std::nullopt;
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  bytes.remove_prefix(8);
  return value;
}

std::string encode(Kind kind, uint64_t query, uint64_t number, uint64_t extra,
                   std::string_view text = {}) {
  std::string bytes;
  bytes.push_back(k_format);
  bytes.push_back(static_cast<char>(kind));
  put_u64(query, bytes);
  put_u64(number, bytes);
  put_u64(extra, bytes);
  bytes.append(text);
  put_u64(hash64(bytes, k_checksum_seed), bytes);
  std::string token;
  absl::WebSafeBase64Escape(bytes, &token);
  return token;
}

struct Fields {
  uint64_t number = 0;
  uint64_t extra = 0;
  std::string text;
};

std::optional<Fields> decode(std::string_view token, Kind kind, uint64_t query) {
  if (token.size() > k_token_bytes_max) return std::nullopt;
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(absl::string_view(token.data(), token.size()), &bytes)) {
    return std::nullopt;
  }
  if (bytes.size() < 34 || bytes[0] != k_format || bytes[1] != static_cast<char>(kind)) {
    return std::nullopt;
  }
  std::string_view checksum = std::string_view(bytes).substr(bytes.size() - 8);
  std::string_view rest = std::string_view(bytes).substr(0, bytes.size() - 8);
  if (take_u64(checksum) != hash64(rest, k_checksum_seed)) return std::nullopt;
  rest.remove_prefix(2);
  if (take_u64(rest) != query) return std::nullopt;
  Fields fields;
  fields.number = *take_u64(rest);
  fields.extra = *take_u64(rest);
  fields.text = rest;
  // Base64 has several spellings of the same bytes; only ours is a token.
  if (encode(kind, query, fields.number, fields.extra, fields.text) != token) return std::nullopt;
  return fields;
}

template <class Request>
uint64_t hash_of(std::string_view method, const Request& request, std::string_view tenant) {
  Request query = request;
  query.clear_page_size();
  query.clear_page_token();
  return hash64(deterministic_bytes(query), hash64(tenant, hash64(method)));
}

}  // namespace

std::string make_page_token(const MessagesPosition& position, uint64_t query) {
  return encode(Kind::messages, query, position.next.value, position.reset.value);
}

std::string make_page_token(const ListPosition& position, uint64_t query) {
  return encode(Kind::list, query, static_cast<uint64_t>(position.last_activity.micros), 0,
                position.thread);
}

std::string make_page_token(const UsagePosition& position, uint64_t query) {
  return encode(Kind::usage, query, position.version.value, position.skip);
}

Checked<MessagesPosition> parse_messages_token(std::string_view token, uint64_t query) {
  const auto fields = decode(token, Kind::messages, query);
  if (!fields) return make_error(ErrorId::page_token_invalid);
  return MessagesPosition{{fields->number}, {fields->extra}};
}

Checked<ListPosition> parse_list_token(std::string_view token, uint64_t query) {
  const auto fields = decode(token, Kind::list, query);
  if (!fields) return make_error(ErrorId::page_token_invalid);
  return ListPosition{{static_cast<int64_t>(fields->number)}, fields->text};
}

Checked<UsagePosition> parse_usage_token(std::string_view token, uint64_t query) {
  const auto fields = decode(token, Kind::usage, query);
  if (!fields) return make_error(ErrorId::page_token_invalid);
  return UsagePosition{{fields->number}, fields->extra};
}

uint64_t query_hash(const v1::ListMessagesRequest& request, std::string_view tenant) {
  return hash_of("ListMessages", request, tenant);
}

uint64_t query_hash(const v1::ListConversationsRequest& request, std::string_view tenant) {
  return hash_of("ListConversations", request, tenant);
}

uint64_t query_hash(const v1::GetUsageRequest& request, std::string_view tenant) {
  return hash_of("GetUsage", request, tenant);
}

ApiError expired_token(const std::string& thread) {
  return make_error(ErrorId::page_token_expired, {{"thread_id", thread}});
}

}  // namespace parley
