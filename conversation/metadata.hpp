#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace parley {

/// `document` changed by an RFC 7396 merge patch; both are JSON objects, an empty text means {}.
/// The result is compact JSON, empty where no member is left. INVALID_ARGUMENT where either is not
/// an object or nests deeper than `depth_max`.
Result<std::string> merge_metadata(std::string_view document, std::string_view patch,
                                   size_t depth_max);

}  // namespace parley
