#pragma once

#include <optional>
#include <vector>

#include "tests/sim/history.hpp"
#include "tests/sim/leases.hpp"
#include "tests/sim/settings.hpp"
#include "tests/sim/sim_journal.hpp"
#include "tests/sim/stats.hpp"
#include "tests/sim/timeline.hpp"

namespace parley::sim {

/// Clients: each does one thing after another, retries with the same request id at any node, and
/// sends duplicates. A fork is carried out as the service does it: note it at the parent, create
/// the child, release it where another conversation has that name. The last client is the sweeper:
/// it tells parents that their forks are gone. Everything is recorded in the history.
///
/// Owned by the world. Attempts it makes are put on the timeline; the world carries them to nodes.
class Workload {
 public:
  Workload(Timeline& timeline, History& history, const SimJournal& journal, const Leases& leases,
           const Rates& rates, const Mutations& mutations, Stats& stats, uint32_t ops);

  void start();
  void act(uint32_t client);
  void respond(AttemptId attempt);
  void time_out(AttemptId attempt);

  /// The clients have done their ops; the sweeper goes on.
  [[nodiscard]] bool idle() const;
  /// Each conversation takes an append and answers a read, or says why not, after `finish` began.
  void finish();
  [[nodiscard]] bool finished() const { return idle() && final_.empty(); }
  [[nodiscard]] std::optional<uint8_t> silent() const { return silent_; }
  [[nodiscard]] bool releases_pending() const;

 private:
  enum class Stage : uint8_t {
    single,
    fork_note,
    fork_create,
    fork_release,
    sweep_release,
    sweep_confirm
  };
  struct Client {
    bool busy = false;
    Stage stage = Stage::single;
    OpId op = 0;
    OpId note = 0;        ///< of the fork under way
    Id128 child_history;  ///< of the fork or release under way
    uint8_t child = 0;    ///< the sweeper's
    uint32_t tries = 0;
    bool last_word = false;  ///< asks once more, alone, after every earlier attempt is dead
  };

  [[nodiscard]] bool is_sweeper(uint32_t client) const { return client + 1 == clients_.size(); }
  void begin(uint32_t client, Op op, Stage stage);
  void begin_some_op(uint32_t client);
  void begin_final_op(uint32_t client);
  void begin_sweep(uint32_t client);
  Op some_op();
  Op some_append(uint8_t thread);
  OpId add(Op op);
  void send(uint32_t client);
  void send_attempt(uint32_t client, uint8_t node);
  uint8_t some_node(uint8_t thread);
  void consider(AttemptId heard);
  void give_up_or_retry(uint32_t client);
  void conclude(uint32_t client, const Attempt* attempt);
  void conclude_fork_note(uint32_t client, const Attempt* attempt);
  void conclude_fork_create(uint32_t client, const Attempt* attempt);
  void rest(uint32_t client);
  [[nodiscard]] bool may_still_be_created(const Id128& child_history, uint32_t except) const;

  Timeline& timeline_;
  History& history_;
  const SimJournal& journal_;
  const Leases& leases_;
  const Rates& rates_;
  const Mutations& mutations_;
  Stats& stats_;
  uint32_t ops_left_;
  std::vector<Client> clients_;
  std::vector<uint32_t> client_of_attempt_;
  Version seen_[k_threads];  ///< versions that clients were last told
  std::vector<Op> final_;    ///< what is left to try at the end
  bool finishing_ = false;
  std::optional<uint8_t> silent_;
};

}  // namespace parley::sim
