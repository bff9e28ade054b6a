#pragma once

#include <utility>
#include <vector>

#include "storage/ownership_table.hpp"
#include "storage/postgres/connection.hpp"

namespace parley::postgres {

/// The tables parley.nodes and parley.shards, through a session of its own.
///
/// Owned by whoever keeps a node's lease; one thread.
class SharedOwnership final : public OwnershipTable {
 public:
  explicit SharedOwnership(ConnectionOptions options) : session_(std::move(options)) {}

  Result<bool> join(const Member& self) override;
  Result<bool> renew(const Member& self) override;
  Result<Membership> read() override;
  Status bury(const std::vector<Member>& silent) override;
  Status take(const Member& self, const std::vector<OwnedShard>& shards) override;
  Status give(const Member& self, Shard shard, Epoch epoch, const Member& to) override;
  Status leave(const Member& self) override;

 private:
  Session session_;
};

}  // namespace parley::postgres
