#pragma once

#include <atomic>
#include <utility>
#include <vector>

#include "storage/ownership_table.hpp"
#include "storage/postgres/connection.hpp"

namespace parley::postgres {

/// A session that says whether its database answers. Owned by whoever uses it; one thread.
class WatchedSession {
 public:
  WatchedSession(ConnectionOptions options, std::atomic<bool>& away)
      : session_(std::move(options)), away_(away) {}
  /// As Connection::run.
  Result<Rows> run(const char* sql, const Parameters& parameters = {}) {
    auto rows = session_.run(sql, parameters);
    away_ = absl::IsUnavailable(rows.status()) || absl::IsUnknown(rows.status());
    return rows;
  }

 private:
  Session session_;
  std::atomic<bool>& away_;
};

/// The tables parley.nodes and parley.shards, through a session of its own.
///
/// Owned by whoever keeps a node's lease; one thread. Says whether the database answers.
class SharedOwnership final : public OwnershipTable {
 public:
  /// `away` outlives this.
  SharedOwnership(ConnectionOptions options, std::atomic<bool>& away)
      : session_(std::move(options), away) {}

  Result<bool> join(const Member& self) override;
  Result<bool> renew(const Member& self) override;
  Result<Membership> read() override;
  Status bury(const std::vector<Member>& silent) override;
  Status take(const Member& self, const std::vector<OwnedShard>& shards) override;
  Status give(const Member& self, Shard shard, Epoch epoch, const Member& to) override;
  Status leave(const Member& self) override;

 private:
  WatchedSession session_;
};

}  // namespace parley::postgres
