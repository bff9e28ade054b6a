#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.hpp"

namespace parley {

/// All shards in contiguous parts, one behind the other, as even as can be. A value.
struct ShardParts {
  uint32_t shard_count = 1;
  uint32_t parts = 1;  ///< at most as many as there are shards

  [[nodiscard]] uint32_t part_of(Shard shard) const {
    return static_cast<uint32_t>(((uint64_t{shard.value} + 1) * parts - 1) / shard_count);
  }
  /// The first shard of a part; of the part behind the last one, the number of shards.
  [[nodiscard]] uint32_t begin(uint32_t part) const {
    return static_cast<uint32_t>(uint64_t{part} * shard_count / parts);
  }
  [[nodiscard]] std::vector<Shard> shards(uint32_t part) const {
    std::vector<Shard> shards;
    for (uint32_t i = begin(part); i < begin(part + 1); ++i) {
      shards.push_back({static_cast<uint16_t>(i)});
    }
    return shards;
  }
};

}  // namespace parley
