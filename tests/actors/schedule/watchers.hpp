#pragma once

#include <array>
#include <memory>
#include <vector>

#include "tests/actors/schedule/stage.hpp"

namespace parley::schedule {

/// Those who follow conversations as a watch stream does: ask what comes after what they have, read
/// the journal where they are sent to look back, ask again. Owned by the run.
class Watchers {
 public:
  explicit Watchers(Stage& stage);

  /// One of them goes on: asks, or reads back.
  void act() { act(stage_.rng.below(watchers_.size())); }
  /// One of them leaves, another takes its place and begins elsewhere.
  void leave();
  void leave_for_good();
  void act_all();

  [[nodiscard]] bool caught_up() const;
  /// Questions of watchers that have left are answered.
  [[nodiscard]] bool all_released() const;

 private:
  class Question;
  struct Watcher {
    size_t id = 0;
    size_t thread = 0;
    Version after;
    bool asking = false;
    bool looking_back = false;
  };

  void act(size_t seat);
  void ask(size_t seat);
  void read_back(size_t seat);
  void begin(size_t seat);
  void take(size_t seat, EventList events, bool looked_back);
  [[nodiscard]] Version stored_version(size_t thread) const;

  Stage& stage_;
  size_t last_id_ = 0;
  std::array<Watcher, 4> watchers_;
  std::vector<std::unique_ptr<Call>> questions_;
};

}  // namespace parley::schedule
