#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "google/protobuf/struct.pb.h"

namespace parley {

/// Why a Struct is no metadata.
enum class MetadataProblem : uint8_t {
  too_deep,
  not_finite,  ///< NaN or an infinity, which JSON lacks
  no_kind,     ///< a value with nothing in it
};

/// Appends the Struct as compact JSON: members in byte order of their keys, whole numbers without a
/// fraction, other numbers in the fewest digits that read back the same. On a problem `out` is
/// undefined.
std::optional<MetadataProblem> append_json(const google::protobuf::Struct& metadata,
                                           size_t depth_max, std::string& out);

/// The reverse; false where `json` is not an object. An empty text gives an empty Struct.
bool parse_json(std::string_view json, google::protobuf::Struct& out);

/// Equal in JSON's sense; the order of members does not matter.
bool equal_values(const google::protobuf::Value& a, const google::protobuf::Value& b);

/// Appends a JSON string with its quotes; control characters escaped, all else as it is.
void append_json_string(std::string_view text, std::string& out);

}  // namespace parley
