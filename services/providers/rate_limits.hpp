#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/providers/identifiers.hpp"

namespace parley {

/// What a provider says of one of its limits.
struct RateLimit {
  std::string of;  ///< requests, tokens, input-tokens, tokens-minute: as the provider calls it
  std::optional<int64_t> limit;
  std::optional<int64_t> remaining;
  std::string reset;                    ///< as it came: a duration or a time
  std::optional<int64_t> reset_millis;  ///< the same, where it is a duration
  bool operator==(const RateLimit&) const = default;
};

/// The limits that response headers speak of, by their names.
std::vector<RateLimit> rate_limits(const ResponseHeaders& headers);

/// "6m0s", "2ms", "1.5s" and "12" (seconds) in milliseconds; nothing where it is no duration.
std::optional<int64_t> duration_millis(std::string_view text);

/// How long to wait before the next try, in milliseconds: `retry-after-ms`, else `retry-after` in
/// seconds. A date is not counted, for a server's clock is not the provider's.
std::optional<int64_t> retry_after_millis(const ResponseHeaders& headers);

}  // namespace parley
