#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "storage/family.hpp"

/// Changes of rows on their way to another node's store.
namespace parley {

struct RowChange {
  enum class Kind : uint8_t { put, remove, remove_range };

  Kind kind = Kind::put;
  Family family = Family::state;
  std::string key;    ///< the first, of a range
  std::string value;  ///< of a range: the key behind its last
  bool operator==(const RowChange&) const = default;
};
/// In the order in which they are to be made.
using RowChanges = std::vector<RowChange>;

std::string encode_changes(const RowChanges& changes);
/// DATA_LOSS where it is not what encode_changes wrote; UNIMPLEMENTED where a newer release did.
Result<RowChanges> decode_changes(std::string_view bytes);

}  // namespace parley
