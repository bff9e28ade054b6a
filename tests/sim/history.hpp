#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "conversation/engine.hpp"
#include "tests/sim/timeline.hpp"

/// What clients saw, for the checkers: nothing in here was taken from inside the system, but a
/// read's history id, which tells incarnations apart.
namespace parley::sim {

using OpId = uint32_t;
using AttemptId = uint32_t;

enum class Kind : uint8_t {
  create,
  append,
  update,
  record_usage,
  reset,
  remove,
  note_fork,
  create_fork,
  release_fork,
  confirm_release,
  read,
};

/// One thing that a client wants, perhaps tried several times.
struct Op {
  Kind kind = Kind::read;
  uint8_t thread = 0;
  bool with_request = false;
  bool lenient = false;  ///< get_or_create, create_if_missing or allow_missing
  std::optional<Version> expected;
  std::optional<Lifecycle> lifecycle;
  uint32_t first_body = 0;  ///< of `bodies` consecutive ones
  uint32_t bodies = 0;
  uint8_t child = 0;              ///< note_fork
  std::optional<Sequence> at;     ///< note_fork
  std::optional<ForkPoint> fork;  ///< create_fork
  Id128 child_history;            ///< create_fork, release_fork, confirm_release
  std::vector<AttemptId> attempts;
};

/// What a read showed.
struct View {
  Id128 history;
  Version version;
  std::vector<uint32_t> bodies;
};

enum class Result : uint8_t {
  pending,
  ok,
  refused,
  not_done,  ///< the system says: nothing was done
  unknown,
};

/// An op sent to one node once. The node fills in the reply; it counts from `returned` on.
struct Attempt {
  OpId op = 0;
  uint8_t node = 0;
  bool live = true;  ///< somewhere in the system: it may still be carried out
  Step invoked = 0;
  Step returned = k_never;
  Result result = Result::pending;  ///< as the client knows it
  Result reply = Result::pending;   ///< as the node gave it
  Receipt receipt;
  Refusal refusal;
  View view;
  std::optional<ForkPoint> fork;  ///< with a note_fork's receipt
};

/// An event by reference: part of a batch.
struct EventRef {
  std::shared_ptr<const EventList> list;
  uint32_t index = 0;
  const Event& operator*() const { return (*list)[index]; }
  const Event* operator->() const { return &(*list)[index]; }
};

/// What one watch of one incarnation was shown.
struct Watched {
  uint8_t thread = 0;
  Id128 history;  ///< of the incarnation's creation
  Version from;   ///< what it started after
  struct Shown {
    EventRef event;
    Step at;
  };
  std::vector<Shown> shown;
};

struct History {
  std::vector<Op> ops;
  std::vector<Attempt> attempts;
  std::vector<OpId> op_of_body;
  std::vector<Watched> watched;
};

/// Ids that say whose they are.
inline Id128 tagged_id(char tag, uint64_t number) {
  Id128 id;
  id.bytes[0] = static_cast<uint8_t>(tag);
  for (size_t i = 0; i < sizeof number; ++i) {
    id.bytes[15 - i] = static_cast<uint8_t>(number >> (8 * i));
  }
  return id;
}
inline uint64_t number_of(const Id128& id) {
  uint64_t number = 0;
  for (size_t i = 8; i < 16; ++i) number = number << 8 | id.bytes[i];
  return number;
}
inline Id128 request_id(OpId op) { return tagged_id('R', op + 1); }
inline uint32_t body_number(const std::string& body) {
  return static_cast<uint32_t>(std::stoul(body));
}

}  // namespace parley::sim
