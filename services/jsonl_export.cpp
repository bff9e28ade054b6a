#include "services/json_scan.hpp"
#include "services/jsonl.hpp"
#include "services/metadata_json.hpp"

namespace parley {
namespace {

constexpr std::string_view k_messages_key = "\"messages\"";

std::string_view role_name(v1::Role role) {
  switch (role) {
    case v1::ROLE_ASSISTANT:
      return "assistant";
    case v1::ROLE_SYSTEM:
      return "system";
    case v1::ROLE_TOOL:
      return "tool";
    default:
      return "user";
  }
}

void append_member(std::string_view key, std::string_view text, std::string& out) {
  out.append(",\"").append(key).append("\":");
  append_json_string(text, out);
}

void append_content(const v1::Message& message, const v1::ToolResultPart* result,
                    std::string& out) {
  if (message.has_content()) return append_member("content", message.content(), out);
  if (result != nullptr && result->has_content()) {
    return append_member("content", result->content(), out);
  }
  // Only what was said in parts: the line has one place for text.
  std::string text;
  bool any = false;
  for (const v1::Part& part : message.parts()) {
    if (!part.has_text()) continue;
    any = true;
    text += part.text().text();
  }
  if (any) return append_member("content", text, out);
  out.append(",\"content\":null");
}

void append_tool_calls(const v1::Message& message, std::string& out) {
  bool first = true;
  for (const v1::Part& part : message.parts()) {
    if (!part.has_tool_call()) continue;
    const v1::ToolCallPart& call = part.tool_call();
    out.append(first ? ",\"tool_calls\":[{\"id\":" : ",{\"id\":");
    first = false;
    append_json_string(call.tool_call_id(), out);
    append_member("type", call.type().empty() ? "function" : call.type(), out);
    out.append(",\"function\":{\"name\":");
    append_json_string(call.name(), out);
    append_member("arguments", call.arguments(), out);
    out.append("}}");
  }
  if (!first) out.push_back(']');
}

const v1::ToolResultPart* first_result(const v1::Message& message) {
  for (const v1::Part& part : message.parts()) {
    if (part.has_tool_result()) return &part.tool_result();
  }
  return nullptr;
}

}  // namespace

void append_jsonl_message(const v1::Message& message, std::string& out) {
  if (!message.source_json().empty()) {
    out.append(message.source_json());
    return;
  }
  out.append("{\"role\":\"").append(role_name(message.role())).append("\"");
  const v1::ToolResultPart* result = first_result(message);
  if (result != nullptr) append_member("tool_call_id", result->tool_call_id(), out);
  if (!message.name().empty()) append_member("name", message.name(), out);
  append_content(message, result, out);
  append_tool_calls(message, out);
  if (!message.source_time().empty()) append_member("ts", message.source_time(), out);
  out.push_back('}');
}

JsonlLine::JsonlLine(const v1::Conversation& header) {
  const std::string_view source = header.source_json();
  for (const RawMember& member : raw_members(source)) {
    if (member.key != k_messages_key) continue;
    const auto begin = static_cast<size_t>(member.value.data() - source.data());
    line_.append(source.substr(0, begin)).push_back('[');
    tail_.append("]").append(source.substr(begin + member.value.size()));
    return;
  }
  line_.append("{\"thread_id\":");
  append_json_string(header.thread_id(), line_);
  append_member("user_id", header.user_id(), line_);
  append_member("source", "parley", line_);
  line_.append(",\"messages\":[");
  tail_ = "]}";
}

void JsonlLine::add(const v1::Message& message) {
  if (!first_) line_.push_back(',');
  first_ = false;
  append_jsonl_message(message, line_);
}

std::string JsonlLine::finish() {
  line_.append(tail_);
  return std::move(line_);
}

}  // namespace parley
