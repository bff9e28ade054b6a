#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "conversation/engine.hpp"
#include "tests/sim/history.hpp"
#include "tests/sim/leases.hpp"
#include "tests/sim/settings.hpp"
#include "tests/sim/sim_journal.hpp"
#include "tests/sim/stats.hpp"
#include "tests/sim/timeline.hpp"

namespace parley::sim {

/// Hears what becomes durable, as watchers do.
class Audience {
 public:
  virtual ~Audience() = default;
  virtual void publish(uint8_t node, uint8_t thread,
                       const std::shared_ptr<const EventList>& events) = 0;
  /// The activation is gone: its watchers resume elsewhere.
  virtual void detach(uint8_t node, uint8_t thread) = 0;
};

/// What all nodes of a run share.
struct Surroundings {
  Timeline& timeline;
  History& history;
  SimJournal& journal;
  Leases& leases;
  const Rates& rates;
  const Limits& limits;
  const Mutations& mutations;
  Stats& stats;
  Audience& audience;
};

/// A node: it tends its leases, activates engines and is their shell, as actors and registry are in
/// the server. A deposed one goes on as it believes, until its own clock or storage tells it
/// otherwise.
///
/// Owned by the world. What it can do wrong: crash, pause, be cut off from the lease table, have a
/// wall clock that jumps and a steady clock that drifts; and what `Mutations` breaks.
class SimNode {
 public:
  SimNode(uint8_t id, Surroundings around);

  // What reaches the node; each does nothing where its addressee is gone.
  void arrive(AttemptId attempt);
  void load(uint8_t thread, uint32_t activation);
  void loaded(uint8_t thread, uint32_t activation);
  void written(WriteId write);
  void tend(uint8_t shard);
  void granted(uint32_t request);

  /// A watcher asks for this conversation.
  void wake(uint8_t thread);

  // What is done to it.
  void crash();
  void restart() { down_ = false; }
  void passivate(uint8_t thread);
  void pause_until(int64_t time) { paused_until_ = time; }
  void cut_off_until(int64_t time) { cut_off_until_ = time; }
  void set_wall_offset(int64_t offset) { wall_offset_ = offset; }

  [[nodiscard]] bool down() const { return down_; }
  [[nodiscard]] int64_t paused_until() const { return paused_until_; }
  [[nodiscard]] bool cut_off() const { return around_.timeline.now() < cut_off_until_; }
  [[nodiscard]] uint32_t incarnation() const { return incarnation_; }
  /// The running engine that may answer for this conversation now, nullptr if there is none.
  [[nodiscard]] const Engine* serving(uint8_t thread) const;

 private:
  struct Holding {
    Epoch epoch;  ///< 0: not held
    SteadyTime until;
    bool raise = false;  ///< a write's outcome is unknown: this epoch must end
  };
  struct Activation {
    uint32_t number = 0;
    Epoch epoch;  ///< when loading began
    std::optional<Loaded> loaded;
    std::unique_ptr<Engine> engine;
    std::vector<AttemptId> waiting;
    bool survives = false;        ///< the mutant, about to
    std::optional<State> shadow;  ///< as of the last commit; for `survive_unknown` only
  };

  /// A read's answer, rendered and not yet released.
  struct Rendered {
    std::vector<HistorySpan> spans;
    std::vector<Message> recent;
    uint32_t tries = 0;
  };

  [[nodiscard]] SteadyTime steady() const;
  [[nodiscard]] WallTime wall() const;
  [[nodiscard]] Ownership ownership(uint8_t shard) const;
  void hold(uint8_t shard, const Leases::Request& request);
  void let_go(uint8_t shard);

  void activate(uint8_t thread);
  void end_activation(uint8_t thread, Result told);
  void submit(uint8_t thread, AttemptId attempt);
  void answer_early(uint8_t thread, AttemptId attempt, const Submit& submit);
  void step(uint8_t thread, Input input);
  void perform(uint8_t thread, Output&& output);
  void perform_abandon(uint8_t thread, Failure failure);
  void survive(uint8_t thread);

  void render(const Engine& engine, AttemptId attempt);
  /// False: a message is gone from storage. With `anyway` what is there is shown.
  bool fill_view(AttemptId attempt, bool anyway);
  bool must_ask_again(const Engine& engine, AttemptId attempt, const Outcome& outcome);
  void reply(AttemptId attempt, Result result);
  void reply(uint8_t thread, AttemptId attempt, const Outcome& outcome);

  uint8_t id_;
  Surroundings around_;
  int64_t steady_base_;
  int64_t drift_ppm_;
  int64_t wall_offset_ = 0;
  bool down_ = false;
  uint32_t incarnation_ = 0;
  int64_t paused_until_ = 0;
  int64_t cut_off_until_ = 0;
  uint32_t last_activation_ = 0;
  Holding holdings_[k_shards];
  Epoch barred_[k_threads];  ///< not to be activated under this epoch any more
  std::unique_ptr<Activation> activations_[k_threads];
  std::vector<AttemptId> pending_;  ///< arrived here; those replied to are among them
  std::map<AttemptId, Rendered> rendered_;
  std::vector<AttemptId> ask_again_;  ///< reads whose messages were erased under their hands
};

}  // namespace parley::sim
