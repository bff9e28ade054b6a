#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "conversation/model.hpp"
#include "services/providers/identifiers.hpp"
#include "services/providers/json_path.hpp"

namespace parley {

struct ToldLatency;

/// The money that a document says the answer cost, in dollars; a later document's replaces an
/// earlier one's. Where somebody else's key was used, what that one is charged is part of it.
void take_cost(const Json& document, std::optional<Money>& cost);

/// How long the provider says that it took; a later document's replaces an earlier one's.
void take_latency(const Json& document, std::optional<ToldLatency>& latency);
std::optional<ToldLatency> latency_in(const ResponseHeaders& headers);

}  // namespace parley
