#pragma once

#include <vector>

#include "tests/sim/sim_node.hpp"

namespace parley::sim {

/// Watchers: each follows one conversation wherever it is served, resumes after the last version it
/// was shown when its node is lost, and begins anew when the conversation was deleted.
///
/// Owned by the world.
class Watches : public Audience {
 public:
  Watches(Timeline& timeline, History& history, const SimJournal& journal,
          const Mutations& mutations, Stats& stats);

  void start();
  /// A watcher's turn: it attaches to `node` if that serves its conversation.
  void tick(uint32_t watcher, const std::vector<std::unique_ptr<SimNode>>& nodes,
            const Leases& leases);
  void publish(uint8_t node, uint8_t thread,
               const std::shared_ptr<const EventList>& events) override;
  void detach(uint8_t node, uint8_t thread) override;
  void detach_all();
  /// Every watcher was shown all there is.
  [[nodiscard]] bool caught_up() const;

 private:
  struct Watcher {
    uint8_t thread = 0;
    int node = -1;          ///< attached to, or -1
    bool watching = false;  ///< an incarnation, `segment` says what was shown of it
    uint32_t segment = 0;
    Id128 history;
    Version last;
  };

  void show(Watcher& watcher, const EventRef& event);
  void attach(Watcher& watcher, int node, const Engine& engine);

  Timeline& timeline_;
  History& history_;
  const SimJournal& journal_;
  const Mutations& mutations_;
  Stats& stats_;
  std::vector<Watcher> watchers_;
};

}  // namespace parley::sim
