#include "services/providers/identifiers.hpp"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace parley {
namespace {

constexpr int k_depth_max = 200;
/// Longer values are content: an opaque state, a signature.
constexpr size_t k_value_bytes_max = 1'024;

bool is_identifier_name(std::string_view key) {
  constexpr std::array<std::string_view, 9> k_exact = {"id",
                                                       "ids",
                                                       "system_fingerprint",
                                                       "prompt_cache_key",
                                                       "safety_identifier",
                                                       "handle",
                                                       "newHandle",
                                                       "cachedContent",
                                                       "uuid"};
  return std::ranges::find(k_exact, key) != k_exact.end() || key.ends_with("_id") ||
         key.ends_with("_ids") || key.ends_with("Id") || key.ends_with("Ids") ||
         key.ends_with("ID");
}

/// What a model wrote, or what it was told to write.
bool is_foreign(std::string_view key, const Json& value) {
  constexpr std::array<std::string_view, 9> k_objects = {
      "input",  "args",        "arguments",    "parameters",  "properties",
      "schema", "json_schema", "input_schema", "partial_json"};
  return value.is_object() && std::ranges::find(k_objects, key) != k_objects.end();
}

}  // namespace

void Identifiers::read(const Json& document) {
  std::string path;
  walk(document, path, {}, 0);
}

void Identifiers::read(const ResponseHeaders& headers) {
  for (const auto& [name, value] : headers) {
    const bool limit = absl::StrContains(name, "ratelimit") || absl::StartsWith(name, "retry-");
    if (!limit && is_telling_header(name)) add(name, value, Found::header);
  }
}

void Identifiers::read(const Json& document, const JsonPath& path, std::string_view name) {
  path.each(document, [&](const Json& value) { add(name, scalar_text(value), Found::body); });
}

void Identifiers::walk(const Json& at, std::string& path, std::string_view key, int depth) {
  if (depth > k_depth_max) return;
  const size_t length = path.size();
  if (at.is_object()) {
    for (const auto& [name, value] : at.items()) {
      if (is_foreign(name, value)) continue;
      absl::StrAppend(&path, length == 0 ? "" : ".", name);
      walk(value, path, name, depth + 1);
      path.resize(length);
    }
  } else if (at.is_array()) {
    path += "[]";
    for (const Json& each : at) walk(each, path, key, depth + 1);
    path.resize(length);
  } else if (is_identifier_name(key)) {
    add(path, scalar_text(at), Found::body);
  }
}

void Identifiers::add(std::string_view path, std::string value, Found found) {
  if (value.empty() || value.size() > k_value_bytes_max) return;
  const std::pair<std::string, std::string> known(path, value);
  if (known_.contains(known)) return;
  if (all_.size() >= k_most) {
    complete_ = false;
    return;
  }
  known_.insert(known);
  all_.push_back({std::string(path), std::move(value), found});
}

bool is_telling_header(std::string_view name) {
  constexpr std::array<std::string_view, 16> k_parts = {
      "request",      "trace",     "correlation",  "ratelimit", "retry",      "organization",
      "project",      "workspace", "region",       "retention", "generation", "session",
      "inference-id", "cf-ray",    "served-model", "deployment"};
  constexpr std::array<std::string_view, 4> k_not = {"access-control", "strict-transport",
                                                     "content-", "requested-tier"};
  const auto in_name = [name](std::string_view part) {
    return name.find(part) != std::string_view::npos;
  };
  return std::ranges::any_of(k_parts, in_name) && std::ranges::none_of(k_not, in_name);
}

}  // namespace parley
