#pragma once

#include <compare>
#include <cstdint>

namespace parley::log {

/// A place in a lane's log: just after a frame. `{0, 0}` is the beginning of a new store.
struct Mark {
  uint64_t frame = 0;  ///< frames count from 1, without gaps, over the life of the store
  uint64_t chain = 0;  ///< that frame's header checksum, which the next frame repeats
  auto operator<=>(const Mark&) const = default;
};

}  // namespace parley::log
