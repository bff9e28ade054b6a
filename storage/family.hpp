#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace parley {

/// The column families of the local store; their numbers are part of its format (keys::scrub).
enum class Family : uint8_t { meta = 0, state = 1, messages = 2, index = 3 };
inline constexpr size_t k_families = 4;
inline constexpr std::array<Family, k_families> k_all_families{Family::meta, Family::state,
                                                               Family::messages, Family::index};
/// Those whose keys begin with their shard.
inline constexpr std::array<Family, 3> k_sharded_families{Family::messages, Family::state,
                                                          Family::index};

}  // namespace parley
