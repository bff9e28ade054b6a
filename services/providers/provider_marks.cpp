#include "services/providers/provider_marks.hpp"

#include <algorithm>

namespace parley {

bool header_matches(std::string_view name, std::string_view pattern) {
  if (!pattern.ends_with('*')) return name == pattern;
  return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

std::string recognised(std::span<const ProviderMarks> marks, const ResponseHeaders& headers,
                       std::span<const Json> documents, std::string_view response_id) {
  const auto has_header = [&headers](const std::string& pattern) {
    return std::ranges::any_of(
        headers, [&pattern](const auto& header) { return header_matches(header.first, pattern); });
  };
  const auto has_path = [documents](const JsonPath& path) {
    return std::ranges::any_of(
        documents, [&path](const Json& document) { return path.leads_to_something(document); });
  };
  const auto begins = [response_id](const std::string& prefix) {
    return response_id.starts_with(prefix);
  };
  for (const ProviderMarks& each : marks) {
    if (std::ranges::any_of(each.headers, has_header)) return each.provider;
  }
  for (const ProviderMarks& each : marks) {
    if (std::ranges::any_of(each.id_prefixes, begins)) return each.provider;
  }
  for (const ProviderMarks& each : marks) {
    if (std::ranges::any_of(each.body_paths, has_path)) return each.provider;
  }
  return {};
}

}  // namespace parley
