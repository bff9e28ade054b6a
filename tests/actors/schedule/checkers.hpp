#pragma once

#include "tests/actors/schedule/stage.hpp"

namespace parley::schedule {

/// The judge of a finished run: what callers and watchers were told against what the journal kept.
/// Nothing, or the first invariant that is broken. Counts into the run's stats.
Violation check(Stage& stage);

}  // namespace parley::schedule
