#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/ids.hpp"

namespace parley {

/// What becomes of calls to a shard's conversations here.
enum class ShardUse : uint8_t {
  elsewhere,  ///< refused before they are begun: another node's, or nobody's
  served,     ///< carried out
  held,       ///< wait for either of the others, while the shard passes on
};

/// The shards whose conversations may be live here. Owned by the server; read by any thread, set by
/// whoever takes shards over and gives them away, who then has the registry act on it.
class OwnedShards {
 public:
  explicit OwnedShards(uint32_t shard_count)
      : uses_(std::make_unique<std::atomic<ShardUse>[]>(shard_count)) {}

  void set(Shard shard, ShardUse use) { uses_[shard.value] = use; }
  [[nodiscard]] ShardUse use(Shard shard) const {
    return uses_[shard.value].load(std::memory_order_acquire);
  }

 private:
  std::unique_ptr<std::atomic<ShardUse>[]> uses_;
};

}  // namespace parley
