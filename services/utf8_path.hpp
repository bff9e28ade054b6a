#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <google/protobuf/descriptor.h>

namespace parley {

/// Text in a request that is not UTF-8.
struct BadText {
  std::string field;  ///< a path, such as messages[3].content
  size_t at = 0;      ///< the first byte of the text that is wrong, from 0
};

/// The first such text in bytes that could not be parsed as `type`. Nothing where the bytes are no
/// message of that type as far as the first bad text, or nest too deeply: then no field is to
/// blame.
std::optional<BadText> find_bad_text(std::string_view bytes,
                                     const google::protobuf::Descriptor& type);

}  // namespace parley
