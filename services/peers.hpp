#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "cluster/caf_link.hpp"
#include "services/config.hpp"

namespace parley {

/// The nodes that --peers names. INVALID_ARGUMENT, naming the flag and what is wrong with it, where
/// an entry is no NAME=HOST:PORT, a name or an address comes twice, or --node is not among them.
Result<std::vector<PeerAddress>> parse_peers(const Config& config);

}  // namespace parley
