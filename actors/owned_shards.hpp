#pragma once

#include <atomic>
#include <memory>

#include "base/ids.hpp"

namespace parley {

/// The shards whose conversations may be live here. Owned by the server; read by any thread, set by
/// whoever takes shards over and gives them away. What is not among them is refused before it is
/// begun; what is live already is ended by whoever takes a shard out.
class OwnedShards {
 public:
  explicit OwnedShards(uint32_t shard_count)
      : owned_(std::make_unique<std::atomic<bool>[]>(shard_count)) {}

  void set(Shard shard, bool owned) { owned_[shard.value] = owned; }
  [[nodiscard]] bool contains(Shard shard) const {
    return owned_[shard.value].load(std::memory_order_acquire);
  }

 private:
  std::unique_ptr<std::atomic<bool>[]> owned_;
};

}  // namespace parley
