#pragma once

#include <array>
#include <optional>

#include "tests/sim/history.hpp"
#include "tests/sim/settings.hpp"
#include "tests/sim/sim_journal.hpp"
#include "tests/sim/stats.hpp"
#include "tests/sim/violation.hpp"

namespace parley::sim {

/// What a run left behind: what clients saw, and what storage holds after healing.
struct Evidence {
  const History& history;
  const SimJournal& journal;
  std::array<State, k_threads> reloaded;  ///< what a new activation would start from
  bool without_fence = false;             ///< not asked: answers without a write, order of epochs
};

/// Judges a run; knows nothing of nodes, leases or faults. Every conversation's log fixes the total
/// order of its changes, so that linearizability needs no search: each answer names its place in
/// the log, or a few places where it could stand, and real time must agree.
std::optional<Violation> check(const Evidence& evidence, Stats& stats);

}  // namespace parley::sim
