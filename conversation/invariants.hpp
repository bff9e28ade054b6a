#pragma once

#include <optional>
#include <string>

#include "conversation/event.hpp"
#include "conversation/model.hpp"

/// Invariants as code, used by tests, the simulation and offline verification. docs/invariants.md
/// lists them by number. Each function returns what is wrong, or nothing.
namespace parley {

/// Of one state by itself.
std::optional<std::string> check_state(const State& state);

/// Of one step: `after` must be what `event` makes of `before`.
std::optional<std::string> check_step(const State& before, const Event& event, const State& after);

}  // namespace parley
