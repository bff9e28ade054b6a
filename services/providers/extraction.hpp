#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conversation/model.hpp"
#include "services/providers/finish_reasons.hpp"
#include "services/providers/identifiers.hpp"
#include "services/providers/provider_errors.hpp"
#include "services/providers/provider_marks.hpp"
#include "services/providers/rate_limits.hpp"
#include "services/providers/response_documents.hpp"
#include "services/providers/usage_rules.hpp"

namespace parley {

/// A response as it came from a provider.
struct RawResponse {
  int status = 0;           ///< of HTTP; 0: not told
  ResponseHeaders headers;  ///< names in lower case
  std::string_view body;
};

/// A place that is to be looked at as well.
struct WantedValue {
  std::string name;
  JsonPath path;
};

/// What is known beforehand.
struct ExtractionRules {
  std::span<const WantedValue> wanted = {};   ///< looked for in each document
  std::span<const ProviderMarks> marks = {};  ///< by which a provider is recognised
  std::string_view provider = {};             ///< the one that it is; empty: to be recognised
};

/// A time that a response tells, and where it stood.
struct ToldLatency {
  int64_t micros = 0;
  std::string source;
  bool operator==(const ToldLatency&) const = default;
};

/// Everything that could be found out from one response of whatever provider.
struct Extraction {
  BodyForm form = BodyForm::empty;
  std::string provider;     ///< as told, or recognised; or empty
  std::string api;          ///< the shape of the answer: chat.completions, messages; or empty
  std::string model;        ///< that answered
  std::string response_id;  ///< of the answer
  std::string request_id;   ///< of the call, for the provider's support
  std::vector<NamedValue> identifiers;
  bool identifiers_complete = true;
  std::vector<NamedValue> wanted;
  std::optional<ReportedUsage> usage;
  std::optional<Money> cost;  ///< as the provider says; nothing: it did not
  std::string finish;         ///< the provider's word
  FinishKind finish_kind = FinishKind::unknown;
  std::string service_tier;
  std::optional<ToldLatency> latency;
  std::vector<RateLimit> rate_limits;
  std::optional<int64_t> retry_after_millis;
  std::optional<ProviderError> error;
  std::string problem;  ///< what of the body could not be read
};

/// By rule, not by provider: what names and shapes mean is known, not who sends them. Pure, total:
/// any bytes have an extraction.
Extraction extract(const RawResponse& response, const ExtractionRules& rules = {});

}  // namespace parley
