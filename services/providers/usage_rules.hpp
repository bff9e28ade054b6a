#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "conversation/model.hpp"
#include "services/providers/identifiers.hpp"
#include "services/providers/json_path.hpp"

namespace parley {

/// What a response says of its tokens, in Parley's terms: cached and cache-written tokens are part
/// of the prompt, reasoning is part of the completion, the total is both.
struct ReportedUsage {
  Usage usage;
  /// What is billed, where the provider says that it is something else.
  std::optional<Usage> billed;
  int64_t cache_write_1h = 0;  ///< part of `usage.cache_write`, kept for an hour
  /// How the provider itself counts, which `usage` has made up for.
  bool cached_inside_input = true;
  bool reasoning_inside_output = true;
  /// Each count as it came, by its path below the usage: `prompt_tokens_details.cached_tokens`.
  std::map<std::string, int64_t> counts;
  bool operator==(const ReportedUsage&) const = default;
};

/// Gathers what the documents of one response say of usage. Of a stream, what comes later replaces
/// what came before, count by count; what is null replaces nothing.
class UsageReader {
 public:
  void read(const Json& document);
  /// Nothing where no document said anything. Headers count where bodies are silent.
  [[nodiscard]] std::optional<ReportedUsage> usage(const ResponseHeaders& headers) const;

 private:
  Json reported_ = Json::object();
};

/// One object that reports usage, by whatever names it has.
std::optional<ReportedUsage> usage_of(const Json& reported);

}  // namespace parley
