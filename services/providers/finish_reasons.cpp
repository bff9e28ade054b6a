#include "services/providers/finish_reasons.hpp"

#include <array>
#include <utility>

#include "absl/strings/ascii.h"

namespace parley {
namespace {

constexpr std::array<std::pair<std::string_view, FinishKind>, 61> k_words = {{
    {"stop", FinishKind::stop},
    {"end_turn", FinishKind::stop},
    {"stop_sequence", FinishKind::stop},
    {"complete", FinishKind::stop},
    {"completed", FinishKind::stop},
    {"finish", FinishKind::stop},
    {"eos", FinishKind::stop},
    {"reason_stop", FinishKind::stop},
    {"compaction", FinishKind::stop},
    {"length", FinishKind::length},
    {"max_tokens", FinishKind::length},
    {"max_output_tokens", FinishKind::length},
    {"model_length", FinishKind::length},
    {"model_context_window_exceeded", FinishKind::length},
    {"reason_max_len", FinishKind::length},
    {"reason_max_context", FinishKind::length},
    {"reason_time_limit", FinishKind::length},
    {"budget_exceeded", FinishKind::length},
    {"incomplete", FinishKind::length},
    {"tool_calls", FinishKind::tool_calls},
    {"tool_call", FinishKind::tool_calls},
    {"tool_use", FinishKind::tool_calls},
    {"function_call", FinishKind::tool_calls},
    {"requires_action", FinishKind::tool_calls},
    {"reason_tool_calls", FinishKind::tool_calls},
    {"content_filter", FinishKind::content_filter},
    {"content_filtered", FinishKind::content_filter},
    {"guardrail_intervened", FinishKind::content_filter},
    {"refusal", FinishKind::content_filter},
    {"safety", FinishKind::content_filter},
    {"recitation", FinishKind::content_filter},
    {"language", FinishKind::content_filter},
    {"blocklist", FinishKind::content_filter},
    {"prohibited_content", FinishKind::content_filter},
    {"spii", FinishKind::content_filter},
    {"model_armor", FinishKind::content_filter},
    {"image_safety", FinishKind::content_filter},
    {"image_prohibited_content", FinishKind::content_filter},
    {"image_recitation", FinishKind::content_filter},
    {"error_toxic", FinishKind::content_filter},
    {"cancelled", FinishKind::cancelled},
    {"cancelling", FinishKind::cancelled},
    {"user_cancel", FinishKind::cancelled},
    {"failed", FinishKind::failed},
    {"error", FinishKind::failed},
    {"expired", FinishKind::failed},
    {"timeout", FinishKind::failed},
    {"malformed_function_call", FinishKind::failed},
    {"malformed_model_output", FinishKind::failed},
    {"malformed_tool_use", FinishKind::failed},
    {"unexpected_tool_call", FinishKind::failed},
    {"too_many_tool_calls", FinishKind::failed},
    {"no_image", FinishKind::failed},
    {"image_other", FinishKind::failed},
    {"other", FinishKind::failed},
    {"error_limit", FinishKind::length},
    {"in_progress", FinishKind::unfinished},
    {"queued", FinishKind::unfinished},
    {"pause_turn", FinishKind::unfinished},
    {"load", FinishKind::unfinished},
    {"unload", FinishKind::unfinished},
}};

constexpr std::array<Names, 11> k_places = {{{"stop_reason"},
                                             {"delta", "stop_reason"},
                                             {"message", "stop_reason"},
                                             {"stopReason"},
                                             {"messageStop", "stopReason"},
                                             {"finish_reason"},
                                             {"delta", "finish_reason"},
                                             {"response", "finish_reason"},
                                             {"data", "finish_reason"},
                                             {"done_reason"},
                                             {"promptFeedback", "blockReason"}}};
/// Where a document may have something with a state.
constexpr std::array<Names, 3> k_states = {{{}, {"response"}, {"interaction"}}};

/// An element of a list that says it, the first one that does.
std::string in_list(const Json& document, std::string_view list, std::string_view name) {
  const Json* all = find(document, {list});
  if (all == nullptr || !all->is_array()) return {};
  for (const Json& each : *all) {
    if (std::string word = text_at(each, {name}); !word.empty()) return word;
  }
  return {};
}

/// It is a response, run or interaction: its `status` is how the answer stands.
bool has_state(const Json& it) {
  const std::string object = text_at(it, {"object"});
  return object == "response" || object == "thread.run" || object == "thread.run.step" ||
         object == "interaction" || find(it, {"steps"}) != nullptr ||
         find(it, {"output"}) != nullptr;
}

}  // namespace

FinishKind finish_kind(std::string_view word) {
  const std::string lower = absl::AsciiStrToLower(std::string(word));
  for (const auto& [name, kind] : k_words) {
    if (name == lower) return kind;
  }
  return FinishKind::unknown;
}

void FinishReader::read(const Json& document) {
  std::string found = in_list(document, "choices", "finish_reason");
  if (found.empty()) found = in_list(document, "candidates", "finishReason");
  if (found.empty()) found = in_list(document, "results", "completionReason");
  for (const Names& place : k_places) {
    if (found.empty()) found = text_at(document, place);
  }
  for (const Names& place : k_states) {
    const Json* it = find(document, place);
    if (it == nullptr || !it->is_object()) continue;
    if (std::string why = text_at(*it, {"incomplete_details", "reason"}); !why.empty()) {
      detail_ = std::move(why);
    }
    if (found.empty() && has_state(*it)) found = text_at(*it, {"status"});
  }
  if (found.empty() && text_at(document, {"event_type"}) == "interaction.status_update") {
    found = text_at(document, {"status"});
  }
  if (!found.empty()) word_ = std::move(found);
}

}  // namespace parley
