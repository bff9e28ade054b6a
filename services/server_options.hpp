#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cluster/lease_plan.hpp"
#include "services/config.hpp"
#include "storage/local_journal.hpp"
#include "storage/postgres_journal.hpp"

/// What a server makes of its configuration for its parts.
namespace parley {

/// How the memory budget is shared out: live conversations, and storage's caches and buffers.
struct Budget {
  int64_t conversations;
  int64_t storage;
};
Budget share_out(int64_t bytes);

LocalOptions storage_options(const Config& config, std::function<void(std::string)> on_fatal);
PostgresOptions database_options(const Config& config);
/// By which leases are renewed, of each database of --journal.
std::vector<postgres::ConnectionOptions> lease_connections(const Config& config);
LeaseTimes lease_times(const Config& config);

/// With limits that fit: a request has to go into half a segment of the log.
Config fitted(Config config);

}  // namespace parley
