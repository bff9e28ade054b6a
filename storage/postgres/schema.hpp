#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "storage/postgres/connection.hpp"

/// The tables of the shared journal: docs/postgres.md describes them.
namespace parley::postgres {

/// What this release makes of an empty database, and reads.
inline constexpr int k_schema_version = 3;

/// Makes the tables, without shards in them (take_places), or brings those of an older release up
/// to date; several nodes may do so at once. FAILED_PRECONDITION where a newer release made them,
/// where they were made for another number of shards, or where the database is none of UTF-8.
Status migrate(Connection& connection, uint32_t shard_count);

/// FAILED_PRECONDITION where the database may lose what it said was committed: it does not wait for
/// its disk, or has standbys and waits for none of them.
Status check_durability(Connection& connection);

}  // namespace parley::postgres
