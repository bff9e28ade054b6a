#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "services/providers/identifiers.hpp"
#include "services/providers/json_path.hpp"

namespace parley {

/// An error as its provider put it; what it did not say is empty.
struct ProviderError {
  std::string type;     ///< invalid_request_error, ValidationException, INVALID_ARGUMENT
  std::string code;     ///< model_not_found, 429
  std::string message;  ///< for a person
  std::string param;    ///< what of the request it is about
  bool operator==(const ProviderError&) const = default;
};

/// The error that the documents of one response tell, also in the middle of a stream or under HTTP
/// status 200; nothing where they tell none and the status is below 400.
std::optional<ProviderError> provider_error(int status, const ResponseHeaders& headers,
                                            const std::vector<Json>& documents);

}  // namespace parley
