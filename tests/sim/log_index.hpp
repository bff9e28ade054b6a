#pragma once

#include <map>
#include <optional>
#include <vector>

#include "tests/sim/checkers.hpp"

namespace parley::sim {

/// Where a conversation stood between two entries of its log; place 0 is before the first.
struct Place {
  bool exists = false;
  bool archived = false;
  Version version;
  Id128 history;
  Step durable = 0;     ///< of the entry that led here
  size_t messages = 0;  ///< shown here: the first so many of `run`
  size_t run = 0;
  std::optional<OpId> op;  ///< whose entry led here, where it ends a call
  std::optional<Receipt> receipt;
  std::vector<uint32_t> appended;  ///< bodies
};

/// A conversation's log, replayed, with every place in it.
struct ThreadIndex {
  std::vector<Place> places{Place{}};
  std::vector<size_t> incarnation{0};       ///< of each place; raised where a creation led to it
  std::vector<std::vector<uint32_t>> runs;  ///< of message bodies: from a creation or reset on
  State state;                              ///< at the end

  [[nodiscard]] std::optional<size_t> find(const Id128& history, Version version) const;
};

struct LogIndex {
  std::array<ThreadIndex, k_threads> threads;
  /// Of each op, the places its entries led to, in order.
  std::vector<std::vector<size_t>> places_of_op;

  /// The place that an acknowledged attempt brought about or repeated, by its receipt.
  [[nodiscard]] std::optional<size_t> place_of(const Op& op, const Attempt& attempt) const;
};

/// Replays the logs, checking every step on the way: I3 (versions, sequences), I7 (epochs), I11
/// (replay gives the state that is loaded), and what core invariants say of each step.
std::optional<Violation> build_index(const Evidence& evidence, LogIndex& index);

}  // namespace parley::sim
