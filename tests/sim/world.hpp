#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/checkers.hpp"
#include "tests/sim/sim_node.hpp"
#include "tests/sim/watches.hpp"
#include "tests/sim/workload.hpp"

namespace parley::sim {

struct RunOptions {
  uint64_t seed = 0;
  uint32_t ops = 60;  ///< that clients begin
  Mutations mutations;
  bool verbose = false;
};

struct RunResult {
  std::optional<Violation> violation;
  uint64_t trace_hash = 0;
  std::vector<std::string> trace;  ///< when verbose
  Stats stats;
};

/// One run: nodes, storage, lease table, clients and watchers, driven by one seed. It ends with all
/// faults healed, every conversation asked again, and the history checked.
class World {
 public:
  explicit World(const RunOptions& options);
  RunResult run();

 private:
  bool drive_until(const std::function<bool()>& done);
  void dispatch(const Due& due);
  /// False: the node is paused, or gone; the event was put off or dropped.
  bool reaches(uint8_t node, const Due& due);
  void nemesis();
  void heal();
  std::optional<Violation> play();
  std::optional<Violation> judge();

  Mutations mutations_;
  Timeline timeline_;
  Rates rates_;
  Limits limits_;
  History history_;
  Stats stats_;
  Leases leases_;
  SimJournal journal_;
  Watches watches_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  Workload workload_;
};

}  // namespace parley::sim
