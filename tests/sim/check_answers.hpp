#pragma once

#include "tests/sim/log_index.hpp"

namespace parley::sim {

/// Such an op may be acknowledged without leaving an entry: there was nothing to change.
bool may_change_nothing(const Op& op);

/// I5: reads, refusals and answers that changed nothing tell the truth as of some moment between
/// call and answer. Reads: exactly the messages at that place (I14: also those shared with a
/// parent), not before they were durable (I10).
std::optional<Violation> check_answers(const Evidence& evidence, const LogIndex& index,
                                       Stats& stats);

}  // namespace parley::sim
