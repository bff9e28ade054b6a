#include "tests/sim/leases.hpp"

namespace parley::sim {

void Leases::decide(uint32_t id, int64_t now, SimJournal& journal) {
  Request& request = requests_[id];
  Lease& lease = leases_[request.shard];
  const bool is_owner = lease.owner == request.node;
  const bool renews = is_owner && request.epoch == lease.epoch && !request.raise;
  const int64_t elapsed = now - lease.granted;
  const bool ran_out =
      lease.owner < 0 || elapsed + elapsed * request.drift_ppm / 1'000'000 >= k_lease;
  // A renewal of an epoch that is over must not take the shard.
  if (request.epoch.value != 0 && request.epoch != lease.epoch) return;
  if (!renews && !is_owner && !ran_out) return;
  if (!renews) {
    lease.epoch.value += 1;
    lease.owner = request.node;
    journal.raise_epoch(request.shard, lease.epoch);
  }
  lease.granted = now;
  request.granted = true;
  request.granted_epoch = lease.epoch;
}

}  // namespace parley::sim
