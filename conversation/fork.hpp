#pragma once

#include <optional>
#include <string>

#include "conversation/command.hpp"

namespace parley {

/// What the child of this history starts from, as its parent noted it; nothing where the parent
/// does not keep anything for it (any more), or was deleted. Made from the lineage that keeps the
/// child, so it is still right when the parent was reset between the note and now.
std::optional<ForkPoint> fork_point(const State& parent, const std::string& parent_thread,
                                    Shard parent_shard, const Id128& child_history);

}  // namespace parley
