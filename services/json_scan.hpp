#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace parley {

/// A member of a JSON object, as it stands in the text.
struct RawMember {
  std::string_view key;    ///< with its quotes and escapes
  std::string_view value;  ///< without blanks around it
};

/// The members of the object that `text` is, in order; the elements of the array that it is. `text`
/// must be valid JSON (was parsed); otherwise the answer is of no use, but nothing is read beyond
/// the text.
std::vector<RawMember> raw_members(std::string_view text);
std::vector<std::string_view> raw_elements(std::string_view text);

/// Brackets nest deeper than this somewhere; for any text.
bool nests_deeper(std::string_view text, size_t depth_max);

}  // namespace parley
