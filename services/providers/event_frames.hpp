#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace parley {

/// One message of AWS's binary event stream.
struct EventFrame {
  std::map<std::string, std::string> headers;  ///< those that are text: `:event-type` and the like
  std::string payload;
};

/// All messages of a stream. INVALID_ARGUMENT says at which byte it is none, or damaged: both
/// checksums of each message are compared. A message that the bytes break off in is left out.
Result<std::vector<EventFrame>> event_frames(std::string_view bytes);

}  // namespace parley
