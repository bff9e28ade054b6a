#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "cluster/ownership.hpp"

namespace parley {

/// What is wrong with a node on purpose, to see that the checks find it.
enum class BatonMutant : uint8_t {
  none,
  forgets_record,       ///< a crash loses what was recorded last
  serves_while_held,    ///< calls go on although they are to be held
  keeps_old_rows,       ///< what is to be erased stays
  serves_after_giving,  ///< StopServing is not heard
  never_flushes,        ///< a crash loses rows that were said to be durable
};

/// Three nodes that pass one shard around, over a network that loses, repeats, delays and reorders,
/// with crashes between any two steps. All of it follows from the seed.
///
/// A row is a number; whoever serves appends the next one. Checked at every step: at most one node
/// serves; whoever begins to serve has every row that was acknowledged, in order, once.
class BatonWorld {
 public:
  BatonWorld(uint64_t seed, BatonMutant mutant);

  /// A stretch of faults, then everything heals; returns what was wrong, empty if nothing.
  std::string run(int steps);
  [[nodiscard]] int64_t passes() const { return passes_; }
  [[nodiscard]] int64_t crashes() const { return crashes_; }

 private:
  struct Node {
    NodeName name;
    Holding stored;
    Holding stored_before;
    std::vector<uint64_t> rows;
    size_t durable_rows = 0;  ///< a crash may lose those behind
    std::unique_ptr<Baton> baton;
    bool serving = false;  ///< as the outputs said
    bool hold = false;
    std::optional<uint64_t> in_flight;  ///< an append that is not durable yet
    std::optional<uint64_t> hold_asked;
    std::optional<std::pair<uint64_t, uint64_t>> held;  ///< number and end, to be said later
    std::optional<uint64_t> copying;
    SteadyTime back_at;  ///< while down
  };
  struct Letter {
    NodeName from;
    NodeName to;
    baton::Message message;
    std::vector<uint64_t> rows;  ///< of Rows
    SteadyTime at;
  };

  uint64_t draw(uint64_t below) { return random_() % below; }
  bool chance(int percent) { return static_cast<int>(draw(100)) < percent; }
  /// One of them: how bad the world is differs by seed.
  int pick(std::vector<int> from) { return from[draw(from.size())]; }
  Node& node(const NodeName& name);
  void boot(Node& node);
  void crash(Node& node);
  void step(bool faults);
  void deliver(bool faults);
  void hand_over(Letter letter, bool faults);
  void append(Node& node);
  void finish_append(Node& node, bool acknowledge);
  /// Carries out outputs in order; may crash in between.
  void carry_out(Node& node, Baton::Outputs outputs, const Letter* cause, bool faults);
  void perform(Node& node, const baton::Output& output, const Letter* cause, bool faults);
  void post(Node& node, const baton::Send& send, bool faults);
  void begin_serving(Node& node);
  void check();
  void settle(const NodeName& where);
  void wrong(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
  }

  std::mt19937_64 random_;
  const BatonMutant mutant_;
  const int lost_percent_;
  const int echo_percent_;
  const int crash_percent_;
  const int wish_percent_;
  BatonLimits limits_;
  SteadyTime now_{1'000'000};
  std::vector<Node> nodes_;
  std::vector<Letter> letters_;
  std::vector<Letter> echoes_;  ///< come again, perhaps much later
  std::vector<uint64_t> acknowledged_;
  std::vector<uint64_t> unknown_;  ///< may be there or not
  uint64_t next_row_ = 1;
  NodeName wanted_;
  int64_t passes_ = 0;
  int64_t crashes_ = 0;
  std::string wrong_;
};

}  // namespace parley
