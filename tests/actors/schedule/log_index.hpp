#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "tests/actors/schedule/record.hpp"

namespace parley::schedule {

/// A point in a conversation's life: what it was from one event to the next.
struct Place {
  Version version;  ///< 0 where it does not exist
  size_t incarnation = 0;
  Tick from = 0;                   ///< kept by the journal
  Tick until = k_never;            ///< the next one was
  Tick told = k_never;             ///< its writer was told
  const Event* event = nullptr;    ///< null for the beginning
  std::optional<Receipt> receipt;  ///< that the event remembers
};

struct ThreadLog {
  State state;
  std::vector<Place> places;
  std::vector<std::string> shown;  ///< bodies of all messages that are shown at the end
};

/// What the journal kept, replayed apart from all that ran.
struct LogIndex {
  std::array<ThreadLog, k_threads> threads;
  std::vector<std::vector<size_t>> places_of_op;  ///< in the conversation of the op

  /// The place at which this attempt was carried out, or another one whose receipt it repeats.
  [[nodiscard]] const Place* place_of(const Op& op, const Attempt& attempt) const;
  /// The conversation was at this version some time between two ticks.
  [[nodiscard]] bool was_at(size_t thread, Version version, Tick from, Tick to) const;
  [[nodiscard]] bool was_below(size_t thread, Version version, Tick from, Tick to) const;
};

/// Fails where the log itself is wrong: gaps, an op twice in one life, other contents than asked.
Violation build_index(const Record& record, LogIndex& index);

}  // namespace parley::schedule
