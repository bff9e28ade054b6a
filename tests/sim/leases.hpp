#pragma once

#include <vector>

#include "base/ids.hpp"
#include "tests/sim/settings.hpp"
#include "tests/sim/sim_journal.hpp"

namespace parley::sim {

/// Who owns which shard, as one durable table with an atomic check and set.
///
/// Owned by the world. An epoch is raised here and in storage in one step; a lease that runs may be
/// renewed, or raised, by its holder only. A taker counts the old lease on its own clock.
class Leases {
 public:
  struct Request {
    uint8_t node = 0;
    uint8_t shard = 0;
    uint32_t incarnation = 0;  ///< of the node
    bool raise = false;        ///< a holder wants a new epoch; else it wants to renew, or to take
    Epoch epoch;               ///< the holder's, 0 for a taker
    int64_t sent_steady = 0;   ///< on the node's clock, before it was sent
    int64_t drift_ppm = 0;     ///< of the node's clock
    bool granted = false;
    Epoch granted_epoch;
  };

  uint32_t ask(const Request& request) {
    requests_.push_back(request);
    return static_cast<uint32_t>(requests_.size() - 1);
  }
  [[nodiscard]] const Request& request(uint32_t id) const { return requests_[id]; }

  /// The request reaches the table at true time `now`.
  void decide(uint32_t id, int64_t now, SimJournal& journal);

  /// The node last granted, or -1: a hint for clients.
  [[nodiscard]] int owner(uint8_t shard) const { return leases_[shard].owner; }
  [[nodiscard]] Epoch epoch(uint8_t shard) const { return leases_[shard].epoch; }

 private:
  struct Lease {
    int owner = -1;
    Epoch epoch;
    int64_t granted = 0;
  };

  std::vector<Request> requests_;
  Lease leases_[k_shards];
};

}  // namespace parley::sim
