#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tests/sim/shared/process.hpp"

namespace parley::sim::shared {

/// Clients that write to the shards' conversations and read them, one call at a time each, and ask
/// whoever they believe to own it: the owner, or anybody, zombies too.
///
/// Owned by the world. A client that has waited too long goes on; what comes then is not heard.
class Clients {
 public:
  using Processes = std::vector<std::unique_ptr<Process>>;

  Clients(const Around& around, const Processes& processes)
      : around_(around), processes_(processes), done_(k_shards) {}

  void start();
  /// From now on only owners are asked; until each shard has taken a write and shown it.
  void finish();
  [[nodiscard]] bool finished() const;

 private:
  struct Client {
    uint64_t attempt = 0;
  };
  struct Done {
    bool written = false;
    bool read = false;
  };
  struct Asked {
    size_t client = 0;
    uint64_t attempt = 0;
    uint64_t write = 0;
    Shard shard;
    uint32_t process = 0;
    uint64_t floor = 0;
  };

  void act(size_t client);
  Process* whom(Shard shard);
  void hear(const Asked& asked, Reply reply);
  void rest(size_t client);

  const Around& around_;
  const Processes& processes_;
  std::vector<Client> clients_;
  std::vector<Done> done_;
  uint64_t writes_ = 0;
  bool finishing_ = false;
};

}  // namespace parley::sim::shared
