#pragma once

#include <cstddef>

#include "storage/journal.hpp"

/// How much memory values hold, roughly: so that what waits for the disk can be bounded.
namespace parley {

size_t memory_bytes(const State& state);
/// With its events, bodies and snapshot.
size_t memory_bytes(const Commit& commit);

}  // namespace parley
