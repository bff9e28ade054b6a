#pragma once

#include <string>
#include <variant>

#include "conversation/command.hpp"

namespace parley {

/// Why a command is refused, as a value. Each has one row in the error table
/// (services/error_table).
enum class Reason : uint8_t {
  conversation_not_found,
  conversation_exists,
  conversation_archived,
  version_mismatch,
  version_not_reached,
  version_in_future,
  version_not_retained,
  request_id_reused,
  sequence_out_of_range,
  too_many_forks,
  fork_too_deep,
  fork_not_found,
  too_many_labels,
  metadata_too_large,
  metadata_invalid,
  too_many_waiting,
  not_owner,
};

struct Refusal {
  Reason reason = Reason::conversation_not_found;
  Version current;     ///< the conversation's version when it was judged
  std::string detail;  ///< what the table's sentence needs to name, may be empty
};

/// Carry it out: these events, and the answer once they are durable. No events: nothing to change.
struct Accept {
  EventList events;
  Receipt receipt;
};

/// It was carried out before; this was the answer.
struct Replay {
  Receipt receipt;
};

using Decision = std::variant<Accept, Replay, Refusal>;

/// Judges a command against a conversation. Pure: reads its arguments, changes nothing, never
/// throws. Versions of the events follow on `state.version` (I3); an event list is never partly
/// right.
Decision decide(const State& state, Command command, const CommandMeta& meta,
                const Context& context);

}  // namespace parley
