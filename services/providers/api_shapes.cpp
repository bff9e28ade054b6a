#include "services/providers/api_shapes.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace parley {
namespace {

/// What `object` and `type` of a document say, by how they begin.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> k_words = {{
    {"chat.completion", "chat.completions"},
    {"response.compaction", "responses.compact"},
    {"response", "responses"},
    {"thread", "assistants"},
    {"assistant", "assistants"},
    {"conversation.response", "conversations"},
    {"conversation", "conversations"},
    {"interaction", "interactions"},
    {"message_start", "messages"},
    {"message_delta", "messages"},
    {"content_block", "messages"},
    {"message-", "chat.v2"},
    {"content-", "chat.v2"},
    {"tool-", "chat.v2"},
}};

bool has(const Json& document, std::string_view name) { return find(document, {name}) != nullptr; }

}  // namespace

std::string api_shape(const Json& document) {
  if (!document.is_object()) return {};
  for (const char* name : {"object", "type", "event_type"}) {
    const std::string word = text_at(document, {name});
    for (const auto& [begin, api] : k_words) {
      if (!word.empty() && word.starts_with(begin)) return std::string(api);
    }
  }
  if (has(document, "choices")) return "chat.completions";
  if (has(document, "candidates") || has(document, "usageMetadata")) return "generateContent";
  if (has(document, "steps") || has(document, "interaction")) return "interactions";
  if (has(document, "messageStart") || has(document, "contentBlockDelta")) {
    return "converse-stream";
  }
  if (has(document, "stopReason") && has(document, "output")) return "converse";
  if (has(document, "stop_reason") && has(document, "content")) return "messages";
  if (has(document, "generation_id") || has(document, "is_finished")) return "chat.v1";
  if (has(document, "finish_reason") && has(document, "message")) return "chat.v2";
  if (has(document, "conversation_id") && has(document, "outputs")) return "conversations";
  if (has(document, "done") && has(document, "created_at")) return "chat";
  return {};
}

}  // namespace parley
