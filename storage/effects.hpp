#pragma once

#include <vector>

#include "absl/container/inlined_vector.h"

#include "storage/journal.hpp"

/// What a batch does to stored things beside its events. The same for every journal.
namespace parley {

/// What must be known of a conversation to store its next batch without knowing its state. All zero
/// where it does not exist.
struct Head {
  Version version;
  Id128 history;          ///< where its next messages go
  Version reset_version;  ///< its messages from before are not shown any more
  Sequence last_sequence;
  bool operator==(const Head&) const = default;
};
Head head_of(const State& state);

struct PlacedMessage {
  Id128 history;
  Message message;
};

struct Effects {
  Head after;
  std::vector<PlacedMessage> messages;
  std::vector<HistoryDrop> drops;       ///< concern these messages as well as those before
  bool pending_releases_moved = false;  ///< State::pending_releases may have changed
};
Effects effects_of(const Batch& batch, const Head& before);

/// The part of it that is known without the head: whose messages are added or dropped.
struct TouchedHistories {
  Id128 after;                            ///< where the next messages go
  absl::InlinedVector<Id128, 2> touched;  ///< may name one more than once
};
TouchedHistories histories_of(const Batch& batch, const Id128& before);

/// The newest request that what is left of a deleted conversation remembers, which is why it is
/// kept for Policy::dedup_seconds. Nothing where none is remembered.
std::optional<Id128> last_request(const State& remains);

}  // namespace parley
