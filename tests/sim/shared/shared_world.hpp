#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/shared/clients.hpp"

namespace parley::sim::shared {

struct RunOptions {
  uint64_t seed = 0;
  Mutations mutations;
  bool verbose = false;
};

struct RunResult {
  std::optional<Violation> violation;
  uint64_t trace_hash = 0;
  std::vector<std::string> trace;  ///< when verbose
  Stats stats;
};

/// One run of a cluster whose nodes share a journal: real LeaseMachines over simulated tables,
/// clients, and faults, driven by one seed. Faults are healed, all must be well again within a
/// bound of simulated time, and then a node is drained.
class SharedWorld final : public Others {
 public:
  explicit SharedWorld(const RunOptions& options);
  ~SharedWorld() override;
  RunResult run();

  void tell_to_look(const NodeName& node) override;
  [[nodiscard]] bool others_answer(const Process& but, Shard shard) const override;

 private:
  void play();
  /// False: it did not become true before that time, or something is broken.
  bool drive_until(int64_t time, const std::function<bool()>& done);
  bool expect_by(int64_t time, const std::function<bool()>& done, const char* what);
  void start(size_t name);
  void nemesis();
  void harm(size_t name);
  void heal();
  void drain_one();
  /// Each shard is served by a node of the present, and they have as many as each other.
  [[nodiscard]] bool settled() const;
  [[nodiscard]] std::vector<size_t> present() const;

  const Mutations mutations_;
  Agenda agenda_;
  Rates rates_;
  Database database_;
  Judge judge_;
  Stats stats_;
  const Around around_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::array<Process*, 4> now_{};  ///< the last start of each name
  Clients clients_;
  bool healed_ = false;
};

}  // namespace parley::sim::shared
