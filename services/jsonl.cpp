#include "services/jsonl.hpp"

#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "base/ids.hpp"
#include "services/error_table.hpp"
#include "services/json_scan.hpp"

namespace parley {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view k_messages_key = "\"messages\"";
constexpr size_t k_source_time_bytes = 64;
constexpr uint64_t k_long_id_seed = 0x6c6f6e67;  // "long"
constexpr size_t k_hash_digits = 16;
/// Far beyond any chat; bounds the memory that a hostile line can make the parser take.
constexpr size_t k_nesting_max = 512;

constexpr bool alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

ApiError line_error(const std::string& where, const std::string& problem) {
  ApiError error = make_error(ErrorId::import_line_invalid);
  error.message = where + ": " + problem + ". " + error.message;
  error.violations.push_back({where, problem});
  return error;
}

/// The string member of this name, nullptr where it is absent or no string.
const std::string* text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

bool given(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && !found->is_null();
}

std::optional<v1::Role> role_of(std::string_view name) {
  if (name == "user" || name == "human") return v1::ROLE_USER;
  if (name == "assistant") return v1::ROLE_ASSISTANT;
  if (name == "system" || name == "developer") return v1::ROLE_SYSTEM;
  if (name == "tool" || name == "function") return v1::ROLE_TOOL;
  return std::nullopt;
}

/// Strings become `content`, the texts of an array become parts; anything else stays in the
/// source's JSON.
void take_content(const Json& object, v1::Message& message) {
  if (const std::string* content = text_of(object, "content")) {
    message.set_content(*content);
    return;
  }
  const auto found = object.find("content");
  if (found == object.end() || !found->is_array()) return;
  for (const Json& piece : *found) {
    if (!piece.is_object()) continue;
    if (const std::string* text = text_of(piece, "text")) {
      message.add_parts()->mutable_text()->set_text(*text);
    }
  }
}

void take_tool_call(const Json& call, const Limits& limits, v1::Message& message) {
  if (!call.is_object()) return;
  const std::string* id = text_of(call, "id");
  const auto function = call.find("function");
  if (id == nullptr || function == call.end() || !function->is_object()) return;
  const std::string* name = text_of(*function, "name");
  if (name == nullptr || name->empty() || id->empty()) return;
  if (name->size() > limits.name_bytes || id->size() > limits.name_bytes) return;
  auto& part = *message.add_parts()->mutable_tool_call();
  part.set_tool_call_id(*id);
  part.set_name(*name);
  if (const std::string* arguments = text_of(*function, "arguments"))
    part.set_arguments(*arguments);
  const std::string* type = text_of(call, "type");
  if (type != nullptr && *type != "function") part.set_type(*type);
}

void take_tools(const Json& object, const Limits& limits, v1::Message& message) {
  const std::string* id = text_of(object, "tool_call_id");
  if (id != nullptr && !id->empty() && id->size() <= limits.name_bytes) {
    message.add_parts()->mutable_tool_result()->set_tool_call_id(*id);
  }
  const auto calls = object.find("tool_calls");
  if (calls == object.end() || !calls->is_array()) return;
  for (const Json& call : *calls) take_tool_call(call, limits, message);
}

/// Fills the message from what is known of the object; keeps the object itself where that loses
/// anything.
std::optional<std::string> fill_message(const Json& object, std::string_view raw,
                                        const Limits& limits, v1::Message& message) {
  if (!object.is_object()) return "must be an object";
  const std::string* role = text_of(object, "role");
  if (role == nullptr) return "needs a role as a string";
  const auto known = role_of(*role);
  if (!known) return "has role " + in_quotes(*role) + "; use user, assistant, system or tool";
  message.set_role(*known);
  take_content(object, message);
  take_tools(object, limits, message);
  const std::string* name = text_of(object, "name");
  if (name != nullptr && name->size() <= limits.name_bytes) message.set_name(*name);
  const std::string* time = text_of(object, "ts");
  if (time != nullptr && time->size() <= k_source_time_bytes) message.set_source_time(*time);
  thread_local std::string rebuilt;
  rebuilt.clear();
  append_jsonl_message(message, rebuilt);
  if (rebuilt != raw) message.set_source_json(std::string(raw));
  return std::nullopt;
}

/// The ids of the line; the problem where they are none.
std::optional<ApiError> fill_identity(const Json& line, v1::Conversation& header) {
  for (const char* key : {"thread_id", "user_id", "source"}) {
    if (given(line, key) && text_of(line, key) == nullptr)
      return line_error(key, "must be a string");
  }
  const std::string* thread = text_of(line, "thread_id");
  if (thread == nullptr || thread->empty()) return line_error("thread_id", "is required");
  const std::string* source = text_of(line, "source");
  header.set_thread_id(escaped_id(source == nullptr ? *thread : *source + ":" + *thread));
  const std::string* user = text_of(line, "user_id");
  if (user != nullptr && !user->empty()) header.set_user_id(escaped_id(*user));
  return std::nullopt;
}

std::string_view without_newline(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// The text of the messages, which must be there exactly once; empty otherwise.
std::string_view raw_messages(std::string_view line) {
  std::string_view messages;
  for (const RawMember& member : raw_members(line)) {
    if (member.key != k_messages_key) continue;
    if (!messages.empty()) return {};
    messages = member.value;
  }
  return messages;
}

}  // namespace

std::string escaped_id(std::string_view text) {
  static constexpr std::string_view k_hex = "0123456789ABCDEF";
  static constexpr std::string_view k_plain = "._~:@+,-";
  std::string id;
  // Why: an id begins with a letter or digit; "x=" followed by no hex digit is nothing else's
  // escape.
  if (text.empty() || !alphanumeric(text.front())) id = "x=";
  for (const char c : text) {
    if (alphanumeric(c) || k_plain.find(c) != std::string_view::npos) {
      id += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      id += '=';
      id += k_hex[byte >> 4];
      id += k_hex[byte & 0xF];
    }
  }
  if (id.size() <= k_id_bytes_max) return id;
  static constexpr std::string_view k_digits = "0123456789abcdef";
  const uint64_t hash = hash64(text, k_long_id_seed);
  id.resize(k_id_bytes_max - k_hash_digits - 1);
  id += '=';
  for (int shift = 60; shift >= 0; shift -= 4) id += k_digits[hash >> shift & 0xF];
  return id;
}

Checked<ImportedConversation> parse_jsonl(std::string_view line, const Limits& limits) {
  line = without_newline(line);
  if (line.find_first_of("\r\n") != std::string_view::npos) {
    return line_error("jsonl", "holds a line break; send one line at a time");
  }
  if (nests_deeper(line, k_nesting_max)) return line_error("jsonl", "is nested too deeply");
  const Json parsed = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return line_error("jsonl", "is no JSON object");
  ImportedConversation imported;
  if (auto error = fill_identity(parsed, imported.header)) return *std::move(error);
  const auto messages = parsed.find("messages");
  if (messages == parsed.end() || !messages->is_array()) {
    return line_error("messages", "is required and must be an array");
  }
  const std::string_view raw = raw_messages(line);
  const std::vector<std::string_view> elements = raw_elements(raw);
  if (raw.empty() || elements.size() != messages->size()) {
    return line_error("messages", "must be there exactly once, its name written without escapes");
  }
  imported.messages.resize(elements.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    auto problem = fill_message((*messages)[i], elements[i], limits, imported.messages[i]);
    if (problem) return line_error("messages[" + std::to_string(i) + "]", *problem);
  }
  const auto begin = static_cast<size_t>(raw.data() - line.data());
  std::string rest(line.substr(0, begin));
  rest.append("[]").append(line.substr(begin + raw.size()));
  imported.header.set_source_json(std::move(rest));
  return imported;
}

}  // namespace parley
