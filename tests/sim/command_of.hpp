#pragma once

#include "conversation/command.hpp"
#include "tests/sim/history.hpp"

namespace parley::sim {

/// What an op says to a conversation.
Command command_of(const Op& op, OpId id);
CommandMeta meta_of(const Op& op, OpId id);

}  // namespace parley::sim
