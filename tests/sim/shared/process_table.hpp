#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "storage/ownership_table.hpp"
#include "tests/sim/shared/wire.hpp"

namespace parley::sim::shared {

/// A process's way to the table of ownership: its keeper's thread waits for the answers. The
/// mutants of what a node hears of the table are here.
class ProcessTable final : public OwnershipTable {
 public:
  explicit ProcessTable(Process& process) : process_(process), wire_(process) {}

  Result<bool> join(const Member& self) override;
  Result<bool> renew(const Member& self) override;
  Result<Membership> read() override;
  Status bury(const std::vector<Member>& silent) override;
  Status take(const Member& self, const std::vector<OwnedShard>& shards) override;
  Status give(const Member& self, Shard shard, Epoch epoch, const Member& to) override;
  Status leave(const Member& self) override;

  [[nodiscard]] Wire& wire() { return wire_; }

 private:
  template <class T>
  Result<T> ask(std::function<T()> statement);
  Status tell(std::function<void()> statement);
  static Status failed(Told told);
  void freeze_renewals(Membership& seen);

  Process& process_;
  Wire wire_;
  // Of mutants.
  std::map<Id128, uint64_t> first_sight_;
  std::map<Id128, uint64_t> last_sight_;
  std::vector<Shard> asked_;
  Member asked_by_;
};

}  // namespace parley::sim::shared
