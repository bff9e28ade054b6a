#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "conversation/engine.hpp"

/// What happened in one run, for the checkers: what callers and watchers were told, and what the
/// journal kept. Nothing in here was taken from inside an actor.
namespace parley::schedule {

/// The count of things that happened: a total order of a run.
using Tick = uint64_t;
inline constexpr Tick k_never = UINT64_MAX;

inline constexpr size_t k_threads = 5;

enum class Kind : uint8_t { append, create, update, reset, remove, note_fork, fork, read };

/// One thing that a client wants, perhaps tried several times.
struct Op {
  Kind kind = Kind::read;
  size_t thread = 0;
  bool with_request = false;
  bool lenient = false;             ///< create_if_missing, get_or_create or allow_missing
  std::optional<Version> expected;  ///< of a read: at least this
  size_t bodies = 0;                ///< of an append
  size_t child = 0;                 ///< of a note_fork
  std::optional<ForkPoint> fork;    ///< of a fork
};

/// An op sent once.
struct Attempt {
  size_t op = 0;
  Tick asked = 0;
  Tick answered = k_never;
  int answers = 0;
  std::optional<Outcome> outcome;  ///< none with an answer: a status
  bool replayed = false;
  std::optional<Version> rendered;

  [[nodiscard]] const Receipt* receipt() const {
    return outcome ? std::get_if<Receipt>(&*outcome) : nullptr;
  }
  [[nodiscard]] const Refusal* refusal() const {
    return outcome ? std::get_if<Refusal>(&*outcome) : nullptr;
  }
};

/// A batch that the journal keeps, in the order in which it began to.
struct Kept {
  size_t thread = 0;
  std::shared_ptr<const EventList> events;
  Tick kept = 0;
  Tick told = k_never;  ///< when its writer was told that it is committed
};

/// A watcher was told, between two ticks, that a conversation is at this version, or is below it.
struct Claim {
  size_t thread = 0;
  bool below = false;
  Version version;
  Tick asked = 0;
  Tick answered = 0;
};

/// A question of a watcher.
struct Asked {
  size_t watcher = 0;
  Tick asked = 0;
  int answers = 0;
};

/// What a watcher that had taken everything up to `after` was given next.
struct Delivery {
  size_t thread = 0;
  Version after;
  EventList events;
  Tick at = 0;
  bool looked_back = false;
};

struct Record {
  Tick now = 0;
  std::deque<Op> ops;
  std::deque<Attempt> attempts;
  std::deque<Asked> follows;
  std::vector<Kept> kept;
  std::vector<Delivery> deliveries;
  std::vector<Claim> claims;

  Tick tick() { return ++now; }
};

/// How often what came up, so that a test can tell a void run.
struct Stats {
  uint64_t acked = 0;
  uint64_t replayed = 0;
  uint64_t failed = 0;
  uint64_t reads = 0;
  uint64_t deliveries = 0;
  uint64_t looked_back = 0;
  uint64_t fenced = 0;
  uint64_t unknown = 0;
  uint64_t refused_writes = 0;
  uint64_t activations = 0;
  uint64_t incarnations = 0;
  uint64_t forks = 0;
  uint64_t jobs_out_of_turn = 0;

  Stats& operator+=(const Stats& other);
};

/// What must not be, in words.
using Violation = std::optional<std::string>;

/// Ops are told apart by what they write: the text of a message, a request id.
inline std::string body_of(size_t op) { return std::to_string(op); }
inline Id128 request_of(size_t op) {
  Id128 id;
  id.bytes[0] = 'R';
  for (size_t i = 0; i < 8; ++i) id.bytes[15 - i] = static_cast<uint8_t>((op + 1) >> (8 * i));
  return id;
}
inline size_t op_of_request(const Id128& id) {
  uint64_t number = 0;
  for (size_t i = 8; i < 16; ++i) number = number << 8 | id.bytes[i];
  return number - 1;
}

}  // namespace parley::schedule
