#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.hpp"

namespace parley {

/// XXH3. The values are stored, so the algorithm and each seed are part of the storage format.
uint64_t hash64(std::string_view bytes, uint64_t seed = 0);
Id128 hash128(std::string_view bytes, uint64_t seed = 0);

}  // namespace parley
