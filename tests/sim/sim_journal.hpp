#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "conversation/engine.hpp"
#include "tests/sim/history.hpp"
#include "tests/sim/settings.hpp"
#include "tests/sim/timeline.hpp"

namespace parley::sim {

/// One committed event, for the checkers.
struct LogEntry {
  EventRef event;
  Step durable = 0;
  uint64_t order = 0;  ///< over all conversations
  Epoch epoch;
};

using WriteId = uint32_t;

/// What becomes of a write; decided when it is handed over.
enum class Fate : uint8_t { normal, not_written, lost, written_unknown, late };

/// A batch on its way to storage.
struct Write {
  uint8_t node = 0;
  uint8_t thread = 0;
  uint32_t activation = 0;
  Epoch epoch;
  Batch batch;
  Fate fate = Fate::normal;
  WriteOutcome outcome = WriteOutcome::unknown;
};

/// Storage shared by all nodes, in memory.
///
/// Owned by the world. What it can do wrong, by `Rates`: refuse to write; lose the answer of a
/// write that happened, did not happen, or happens much later; be slow; fail to load. It never
/// forgets what it acknowledged. Keeps a snapshot and the events after it, so that each load is a
/// replay, and messages apart, erased by HistoryDrop. Without its guards (`Mutations`) it
/// overwrites like a key-value store.
class SimJournal {
 public:
  SimJournal(Timeline& timeline, const Rates& rates, const Mutations& mutations)
      : timeline_(timeline), rates_(rates), mutations_(mutations) {}

  void submit(Write write);
  /// The write reaches storage.
  void apply(WriteId id);
  [[nodiscard]] const Write& write(WriteId id) const { return writes_[id]; }

  [[nodiscard]] Loaded load(uint8_t thread) const;
  /// Of what is stored now; anything else is let go.
  void keep_snapshot(uint8_t thread, std::shared_ptr<const State> state);
  void raise_epoch(uint8_t shard, Epoch epoch) { epochs_[shard] = std::max(epochs_[shard], epoch); }

  /// A message's body, nullptr where there is none (any more).
  [[nodiscard]] std::shared_ptr<const std::string> message(const Id128& history, Sequence at) const;
  /// Events of the present incarnation after a version, up to another.
  [[nodiscard]] std::vector<EventRef> events(uint8_t thread, Version after, Version through) const;
  /// What is committed, for sweepers and checkers.
  [[nodiscard]] const State& state(uint8_t thread) const { return stored_[thread].state; }
  /// Everything ever committed to a conversation, as it now stands.
  [[nodiscard]] const std::vector<LogEntry>& log(uint8_t thread) const {
    return stored_[thread].log;
  }
  using Messages = std::vector<std::shared_ptr<const std::string>>;  ///< by sequence
  [[nodiscard]] const absl::flat_hash_map<Id128, Messages>& messages() const { return messages_; }

 private:
  struct Stored {
    State state;                            ///< as of the newest event
    std::shared_ptr<const State> snapshot;  ///< null: nothing
    std::vector<LogEntry> log;
    size_t incarnation = 0;  ///< where the present one begins in `log`
  };

  WriteOutcome judge(const Write& write) const;
  void commit(const Write& write);
  void keep_messages(const State& before, const Event& event);
  void drop(const std::vector<HistoryDrop>& drops);

  Timeline& timeline_;
  const Rates& rates_;
  const Mutations& mutations_;
  std::vector<Write> writes_;
  Stored stored_[k_threads];
  Epoch epochs_[k_shards];
  uint64_t order_ = 0;
  absl::flat_hash_map<Id128, Messages> messages_;
};

}  // namespace parley::sim
