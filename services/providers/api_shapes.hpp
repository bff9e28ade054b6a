#pragma once

#include <string>

#include "services/providers/json_path.hpp"

namespace parley {

/// Which API answers like this document, a whole answer or an event of a stream:
/// `chat.completions`, `responses`, `messages`, `generateContent`, `interactions`, `converse`,
/// `chat.v1`, `chat.v2` and the like. Empty where it could be any, as an error.
std::string api_shape(const Json& document);

}  // namespace parley
