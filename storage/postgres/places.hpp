#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "storage/postgres/connection.hpp"
#include "storage/shard_parts.hpp"

/// Which of a cluster's databases each one is, as it records itself in parley.store: so that none
/// is ever taken for another one.
namespace parley::postgres {

/// A database as it was given, with its tables made.
struct GivenDatabase {
  std::string name;       ///< for people
  Connection* session{};  ///< null: it is away
};

/// Records in each database which part of the shards it has, where none has been at work yet, or
/// checks it. Answers the cluster's id. Several nodes may do so at once.
///
/// At the first start every database records its place before any of them notes that the cluster
/// has begun; nothing is served before all have. So an empty database in place of one that was at
/// work is noticed.
///
/// UNAVAILABLE where all are needed and one is away; FAILED_PRECONDITION where they are not the
/// databases of one cluster, all of them, in the order of the first start.
Result<std::string> take_places(const std::vector<GivenDatabase>& given, const ShardParts& parts);

}  // namespace parley::postgres
