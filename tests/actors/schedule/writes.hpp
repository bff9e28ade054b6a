#pragma once

#include <array>
#include <optional>

#include "tests/actors/schedule/stage.hpp"

namespace parley::schedule {

/// The journal's side of a run: finishes held commits in any order and with any outcome, tells the
/// lies, and writes down what is kept. Owned by the run.
class Writes {
 public:
  explicit Writes(Stage& stage) : stage_(stage) {}

  /// Something is held or owed.
  [[nodiscard]] bool any() const;
  /// Finishes one of the held commits, or keeps what is owed.
  void finish_one();
  /// What no journal may see, found on the way.
  void check();
  /// Ownership of a conversation's shard passes to this node anew; its activation may hear of it.
  void raise_epoch(size_t thread);
  /// The activation of a conversation, if one is known, is told by which right it answers.
  void tell_owner(size_t thread, SteadyTime until);

 private:
  void finish(HeldJournal::Waiting write);
  void lie_about(HeldJournal::Waiting write);
  void keep_owed(HeldJournal::Waiting* next);
  WriteOutcome keep(Commit commit);
  void tell(const HeldJournal::Waiting& write, WriteOutcome outcome);

  Stage& stage_;
  std::optional<HeldJournal::Waiting> owed_;   ///< said to be committed, not kept yet
  std::array<caf::actor, k_threads> writers_;  ///< whose write of this conversation came back last
};

}  // namespace parley::schedule
