#include "conversation/metadata.hpp"

#include <nlohmann/json.hpp>

namespace parley {
namespace {

using Json = nlohmann::json;

/// Parses without exceptions and without recursing deeper than allowed: depth is checked while
/// parsing.
Result<Json> parse_object(std::string_view text, size_t depth_max) {
  if (text.empty()) return Json::object();
  bool too_deep = false;
  const Json::parser_callback_t watch_depth = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || static_cast<size_t>(depth) > depth_max;
    return !too_deep;
  };
  Json document = Json::parse(text, watch_depth, /*allow_exceptions=*/false);
  if (too_deep) return absl::InvalidArgumentError("metadata is nested too deeply; flatten it");
  if (!document.is_object()) return absl::InvalidArgumentError("metadata must be a JSON object");
  return document;
}

}  // namespace

Result<std::string> merge_metadata(std::string_view document, std::string_view patch,
                                   size_t depth_max) {
  auto target = parse_object(document, depth_max);
  if (!target.ok()) return target.status();
  const auto change = parse_object(patch, depth_max);
  if (!change.ok()) return change.status();
  target->merge_patch(*change);
  if (target->empty()) return std::string();
  return target->dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace parley
