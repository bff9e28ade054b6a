#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/providers/identifiers.hpp"
#include "services/providers/json_path.hpp"

namespace parley {

/// By what a provider's responses are known, each of these its own alone; and what is known of
/// them.
struct ProviderMarks {
  std::string provider;
  std::vector<std::string> headers;  ///< whole names, or beginnings with a star behind
  std::vector<JsonPath> body_paths;
  std::vector<std::string> id_prefixes;  ///< of the answer's id
  /// Where its bodies have identifiers, with the paths as texts; not all are called an id.
  std::vector<std::pair<std::string, JsonPath>> identifiers = {};
};

/// Who sent the response; empty where nobody's mark is on it. What headers say counts first, for
/// bodies speak with the words of others.
std::string recognised(std::span<const ProviderMarks> marks, const ResponseHeaders& headers,
                       std::span<const Json> documents, std::string_view response_id);

/// `name` is that header, or begins as one that ends in a star.
bool header_matches(std::string_view name, std::string_view pattern);

}  // namespace parley
