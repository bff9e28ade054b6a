#include "services/providers/rate_limits.hpp"

#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace parley {
namespace {

constexpr double k_longest_millis = 1.0e15;
/// A number above it is a time, not how long something takes.
constexpr double k_longest_seconds = 31'536'000;

std::optional<int64_t> millis(double value) {
  if (!(value >= 0) || value > k_longest_millis) return std::nullopt;
  return static_cast<int64_t>(std::llround(value));
}

std::optional<int64_t> whole(const std::string& text) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !(value >= 0) || value > k_longest_millis) {
    return std::nullopt;
  }
  return static_cast<int64_t>(value);
}

/// What a header is about: its limit's name and one of limit, remaining, reset. Two orders are in
/// use: `x-ratelimit-limit-requests`, and `anthropic-ratelimit-requests-limit`.
std::optional<std::pair<std::string, std::string>> parts_of(std::string_view name) {
  const size_t at = name.find("ratelimit-");
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = name.substr(at + std::string_view("ratelimit-").size());
  for (const std::string_view what : {"limit", "remaining", "reset"}) {
    if (rest == what) return std::pair(std::string("requests"), std::string(what));
    if (rest.size() <= what.size() + 1) continue;
    const std::string_view front = rest.substr(0, rest.size() - what.size() - 1);
    const std::string_view back = rest.substr(what.size() + 1);
    if (rest.starts_with(what) && rest[what.size()] == '-') {
      return std::pair(std::string(back), std::string(what));
    }
    if (rest.ends_with(what) && rest[front.size()] == '-') {
      return std::pair(std::string(front), std::string(what));
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<RateLimit> rate_limits(const ResponseHeaders& headers) {
  std::map<std::string, RateLimit> by_name;
  for (const auto& [name, value] : headers) {
    const auto parts = parts_of(name);
    if (!parts) continue;
    RateLimit& limit = by_name[parts->first];
    limit.of = parts->first;
    if (parts->second == "limit") limit.limit = whole(value);
    if (parts->second == "remaining") limit.remaining = whole(value);
    if (parts->second == "reset") {
      limit.reset = value;
      limit.reset_millis = duration_millis(value);
    }
  }
  std::vector<RateLimit> all;
  all.reserve(by_name.size());
  for (auto& [name, limit] : by_name) all.push_back(std::move(limit));
  return all;
}

std::optional<int64_t> duration_millis(std::string_view text) {
  // Why the longer names first: "ms" begins with "m".
  constexpr std::array<std::pair<std::string_view, double>, 7> k_units = {{{"ms", 1},
                                                                           {"us", 0.001},
                                                                           {"ns", 0.000001},
                                                                           {"d", 86'400'000},
                                                                           {"h", 3'600'000},
                                                                           {"m", 60'000},
                                                                           {"s", 1'000}}};
  double seconds = 0;
  if (absl::SimpleAtod(std::string(text), &seconds)) {
    return seconds <= k_longest_seconds ? millis(seconds * 1'000) : std::nullopt;
  }
  double sum = 0;
  while (!text.empty()) {
    size_t digits = 0;
    while (digits < text.size() && (absl::ascii_isdigit(text[digits]) || text[digits] == '.')) {
      ++digits;
    }
    double value = 0;
    if (!absl::SimpleAtod(std::string(text.substr(0, digits)), &value)) return std::nullopt;
    text.remove_prefix(digits);
    bool known = false;
    for (const auto& [unit, factor] : k_units) {
      if (!text.starts_with(unit)) continue;
      text.remove_prefix(unit.size());
      sum += value * factor;
      known = true;
      break;
    }
    if (!known) return std::nullopt;
  }
  return sum > 0 ? millis(sum) : std::nullopt;
}

std::optional<int64_t> retry_after_millis(const ResponseHeaders& headers) {
  const auto value_of = [&headers](const char* name) {
    const auto found = headers.find(name);
    double value = 0;
    const bool number = found != headers.end() && absl::SimpleAtod(found->second, &value);
    return number ? std::optional(value) : std::nullopt;
  };
  if (const auto exact = value_of("retry-after-ms")) return millis(*exact);
  if (const auto seconds = value_of("retry-after")) return millis(*seconds * 1'000);
  return std::nullopt;
}

}  // namespace parley
