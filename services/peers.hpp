#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cluster/caf_link.hpp"
#include "services/config.hpp"

namespace parley {

/// The nodes that --peers names. INVALID_ARGUMENT, naming the flag and what is wrong with it, where
/// an entry is no NAME=HOST:PORT, a name or an address comes twice, or --node is not among them.
Result<std::vector<PeerAddress>> parse_peers(const Config& config);

/// The nodes that --first-nodes names, or else nothing. INVALID_ARGUMENT where a name is none, or
/// comes twice.
Result<std::optional<std::vector<NodeName>>> parse_first_nodes(const Config& config);

}  // namespace parley
