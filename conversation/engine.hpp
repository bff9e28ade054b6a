#pragma once

#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/fifo.hpp"
#include "conversation/decide.hpp"
#include "conversation/evolve.hpp"
#include "conversation/recent_messages.hpp"

/// The protocol of one activation of a conversation, as a pure state machine.
///
/// The idea: deciding is fast and writing is slow, so the engine decides on a *tentative* state
/// that runs ahead of what is durable, and holds every answer that could reveal the tentative part
/// at a gate until storage has confirmed it. Nobody outside can tell that it ran ahead: if the
/// write fails, whoever waited is told "unavailable", the activation ends, and the next one starts
/// from storage.
namespace parley {

/// Names a waiting call; chosen by the shell, opaque to the engine.
using Ticket = uint64_t;

/// By which right this node answers. Writes are fenced by storage under `epoch`; whatever is
/// answered without a write (reads, refusals, repetitions) is answered only before `until` (I5).
struct Ownership {
  Epoch epoch;
  SteadyTime until = SteadyTime::never();
};

/// What became of a batch. The set is closed; every user handles each.
enum class WriteOutcome : uint8_t {
  committed,    ///< durable
  fenced,       ///< refused: somebody owns the shard under a higher epoch
  conflict,     ///< refused: the conversation was not at the expected version
  not_written,  ///< refused before anything was written; storage lives on
  unknown,      ///< may or may not become durable: only a fresh load can tell
};

/// What an index shows of a conversation; absent where there is nothing to show.
struct IndexRow {
  std::string user;
  std::map<std::string, std::string> labels;
  Lifecycle lifecycle = Lifecycle::active;
  WallTime last_activity;
  bool operator==(const IndexRow&) const = default;
};
std::optional<IndexRow> index_row(const State& state);

/// Events that become durable together or not at all, with what they do to the indexes.
struct Batch {
  Version expected;  ///< the conversation's version before
  Version after;     ///< and after; 0 when it is gone
  std::shared_ptr<const EventList> events;
  std::optional<IndexRow> index_before;
  std::optional<IndexRow> index_after;
  /// The state after the batch. Always set where the conversation does not exist afterwards:
  /// storage then keeps it (unless `vanished`) in place of all events. Otherwise set when a
  /// snapshot is due.
  std::shared_ptr<const State> snapshot;
  bool gone = false;          ///< the conversation does not exist afterwards
  bool owes_parents = false;  ///< State::pending_releases is not empty afterwards
};

// Inputs.
struct Submit {
  Ticket ticket = 0;
  Command command;
  CommandMeta meta;
  Context context;
  SteadyTime now;
  bool render = false;  ///< also `Render` the state right after the change, for the answer
};
struct Query {
  Ticket ticket = 0;
  Version min_version;
  SteadyTime now;
};
struct Written {
  WriteOutcome outcome = WriteOutcome::unknown;
  SteadyTime now;
};
struct OwnershipChanged {
  Ownership ownership;
};
using Input = std::variant<Submit, Query, Written, OwnershipChanged>;

/// Why a call was not carried out, beyond a refusal.
enum class Failure : uint8_t {
  not_owner,    ///< nothing was done: ask the owner
  not_written,  ///< nothing was done: try again later
  unknown,      ///< may have been done: try again with the same request id
};

using Outcome = std::variant<Receipt, Refusal, Failure>;

// Outputs. To be performed in order.

/// Hand this to storage; its outcome comes back as `Written`. At most one is under way (I13).
struct Append {
  Epoch epoch;
  Batch batch;
};
/// Make this call's answer from `tentative()` now, and keep it until `Answer` says so.
struct Render {
  Ticket ticket = 0;
};
/// Answer this call now: everything it depends on is durable, and ownership was proven.
struct Answer {
  Ticket ticket = 0;
  Outcome outcome;
  bool replayed = false;  ///< a repetition of an earlier call
};
/// These events are durable: tell the watchers.
struct Publish {
  std::shared_ptr<const EventList> events;
};
/// This activation is over: nothing it holds may be used again. All its calls were answered before.
struct Abandon {
  Failure failure = Failure::unknown;
};
using Output = std::variant<Append, Render, Answer, Publish, Abandon>;

/// What storage knows of a conversation.
struct Loaded {
  State state;
  std::vector<Message> recent;  ///< the last messages, oldest first; may be fewer than the window
  uint64_t events_since_snapshot = 0;  ///< read to come to `state`
};

/// One activation of one conversation.
///
/// Owned by its actor and gone with it. Runs wherever the actor runs, never in two places at once.
/// Invariants: I1 (no answer before it is durable), I3 (versions without gap), I5 (ownership is
/// proven for what is answered without a write), I13 (one batch under way), I10 (no read ahead of
/// durability). Not its job: time, storage, threads, the meaning of commands (that is `decide`).
class Engine {
 public:
  Engine(Loaded loaded, Ownership ownership, const Limits& limits);

  /// Feeds one input; outputs are appended to `out`. After `Abandon` every input is answered with
  /// that failure at once.
  void step(Input&& input, std::vector<Output>& out);

  [[nodiscard]] const State& tentative() const { return tentative_; }
  [[nodiscard]] const RecentMessages& recent() const { return recent_; }
  [[nodiscard]] Version durable() const { return durable_; }
  /// What storage may show by now: the batch under way, before the engine hears that it is durable.
  [[nodiscard]] Version shown() const {
    return in_flight_ && !in_flight_->gone ? in_flight_->after : durable_;
  }
  /// Nothing is under way and nobody waits: the activation may end without anybody noticing.
  [[nodiscard]] bool quiescent() const { return !in_flight_ && queue_.empty() && held_.empty(); }
  [[nodiscard]] bool abandoned() const { return abandoned_.has_value(); }
  /// Events since the last snapshot, by whichever activation.
  [[nodiscard]] uint64_t events_since_snapshot() const { return events_since_snapshot_; }
  /// The activation ends, and a snapshot would spare the next one enough. A few events are read as
  /// fast as a snapshot, and most conversations have no more.
  [[nodiscard]] bool snapshot_due_at_end() const {
    return events_since_snapshot_ >= limits_.snapshot_events_at_end;
  }
  [[nodiscard]] size_t memory_bytes() const;

 private:
  /// An answer at the gate.
  struct Held {
    uint64_t needs;  ///< the batch that must be durable first, 0 if none
    Ticket ticket;
    Outcome outcome;
    bool replayed;
    bool proven_by_write;  ///< its own batch being accepted proves ownership
  };
  /// What must be known of a batch until its outcome is.
  struct InFlight {
    Version after;
    std::shared_ptr<const EventList> events;
    bool gone;
  };
  /// Events decided but not yet handed over. Sealed when nothing may be added to it.
  struct Open {
    uint64_t number;
    Version expected;
    EventList events;
    size_t bytes = 0;
    std::shared_ptr<const State>
        gone;  ///< set when it ends with the conversation's end; it is sealed
  };

  void on(Submit&& submit, std::vector<Output>& out);
  void on(Query&& query, std::vector<Output>& out);
  void on(Written&& written, std::vector<Output>& out);
  void on(OwnershipChanged&& changed, std::vector<Output>& out);

  void accept(Accept&& accepted, const Submit& submit, std::vector<Output>& out);
  void enqueue(EventList&& events);
  void apply(const Event& event);
  void send_next(std::vector<Output>& out);
  void attach_snapshot(Batch& batch, const Open& open);
  void answer_or_hold(Ticket ticket, Outcome outcome, bool replayed, SteadyTime now,
                      std::vector<Output>& out);
  void release(SteadyTime now, std::vector<Output>& out);
  /// `under_way`: what calls are told whose events were handed over already.
  void abandon(Failure failure, Failure under_way, std::vector<Output>& out);
  [[nodiscard]] bool owned(SteadyTime now) const { return now < ownership_.until; }

  Ownership ownership_;
  const Limits& limits_;
  State tentative_;
  RecentMessages recent_;
  Version durable_;
  uint64_t last_number_ = 0;     ///< of the newest batch, open or sent
  uint64_t durable_number_ = 0;  ///< of the newest batch that is durable
  Fifo<Open> queue_;
  std::optional<InFlight> in_flight_;
  Fifo<Held> held_;
  std::optional<IndexRow> indexed_;
  size_t rarely_changed_bytes_ = 0;  ///< of tentative_, what no plain append changes
  uint64_t events_since_snapshot_ = 0;
  uint64_t bytes_since_snapshot_ = 0;
  uint64_t snapshot_bytes_ = 0;
  std::optional<Failure> abandoned_;
};

}  // namespace parley
