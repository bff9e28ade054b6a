#pragma once

#include "conversation/event.hpp"
#include "conversation/model.hpp"

namespace parley {

/// The state after an event. Total and without judgement: used for live events and for replay
/// alike, so that both give the same state (I11). Needs no message bodies.
State evolve(State state, const Event& event);
/// The same where the state lies: an append touches a few of its many fields.
void evolve_in_place(State& state, const Event& event);

/// Live replay keeps versions continuous: on a conversation that does not exist (what is left of a
/// deleted one) an event leaves the version at 0, and storage keeps the state itself instead of it.
///
/// What storage may erase if this child were gone, and likewise for reset and deletion. Used by
/// `decide` to write the drops into the event, so that replay need not work them out again.
std::vector<HistoryDrop> drops_on_release(const State& state, const Id128& child_history);
std::vector<HistoryDrop> drops_on_abandoning_current(const State& state);

}  // namespace parley
