#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/shared/database.hpp"
#include "tests/sim/violation.hpp"

namespace parley::sim::shared {

/// How much of what matters came up.
struct Stats {
  uint64_t runs = 0;
  uint64_t steps = 0;
  uint64_t acked = 0;
  uint64_t reads = 0;
  uint64_t refused = 0;
  uint64_t unknown = 0;
  uint64_t unproven = 0;  ///< reads refused because the lease had run out
  uint64_t fenced = 0;
  uint64_t raised = 0;
  uint64_t served = 0;  ///< times that a shard began to be served
  uint64_t gives = 0;
  uint64_t burials = 0;
  uint64_t reborn = 0;  ///< nodes that were buried alive, and knew it in the end
  uint64_t late = 0;    ///< statements that came long after they were given up
  uint64_t crashes = 0;
  uint64_t pauses = 0;
  uint64_t doubles = 0;
  uint64_t drains = 0;

  Stats& operator+=(const Stats& other);
};

/// Judges a run while it goes on, by what clients are told and by what nodes say that they serve;
/// knows nothing of leases or faults. The first violation stays.
class Judge {
 public:
  explicit Judge(const Database& database) : database_(database), acknowledged_(k_shards) {}

  /// A process carries out a shard's calls from now on.
  void serves(uint32_t process, Shard shard, Epoch epoch);
  /// A client was told that its write is the shard's `version`th.
  void acknowledged(uint32_t process, Shard shard, uint64_t version, uint64_t write);
  /// The least that a read must show that begins now.
  [[nodiscard]] uint64_t floor(Shard shard) const { return acknowledged_[shard.value].size(); }
  void read(uint32_t process, Shard shard, uint64_t floor, uint64_t version);
  /// Nothing that was acknowledged is gone.
  void at_the_end();

  void broken(std::string invariant, std::string what) {
    if (!violation_) violation_ = Violation{std::move(invariant), std::move(what)};
  }
  [[nodiscard]] const std::optional<Violation>& violation() const { return violation_; }

 private:
  const Database& database_;
  std::optional<Violation> violation_;
  std::map<std::pair<uint16_t, uint64_t>, uint32_t> owners_;  ///< of each shard and epoch
  std::map<std::pair<uint32_t, uint16_t>, uint64_t> served_;  ///< the last epoch
  /// By version; 0 where none of its clients was told.
  std::vector<std::vector<uint64_t>> acknowledged_;
};

}  // namespace parley::sim::shared
