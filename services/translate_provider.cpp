#include "services/translate_provider.hpp"

#include <string>
#include <utility>

#include "absl/strings/ascii.h"

#include "services/field_path.hpp"
#include "services/translate.hpp"
#include "services/validate.hpp"

namespace parley {
namespace {

constexpr int k_headers_max = 64;
constexpr size_t k_header_bytes_max = 4'096;
constexpr int k_paths_max = 64;
constexpr size_t k_path_bytes_max = 256;
constexpr int k_http_status_max = 599;

void check_response(const v1::ProviderResponse& response, Violations& violations) {
  const FieldPath at("response");
  if (response.headers_size() > k_headers_max) {
    violations.add(at.at("headers").text(), "has " + std::to_string(response.headers_size()) +
                                                " entries; at most " +
                                                std::to_string(k_headers_max));
  }
  for (const auto& [name, value] : response.headers()) {
    if (name.size() + value.size() > k_header_bytes_max) {
      violations.add(at.at("headers").text(),
                     in_quotes(name) + " takes " + std::to_string(name.size() + value.size()) +
                         " bytes; at most " + std::to_string(k_header_bytes_max));
    }
  }
  if (response.status() < 0 || response.status() > k_http_status_max) {
    violations.add(at.at("status").text(), "must be an HTTP status, or 0 where it was not HTTP");
  }
}

void check_paths(const v1::ExtractMetadataRequest& request, Violations& violations) {
  if (request.paths_size() > k_paths_max) {
    violations.add("paths", "has " + std::to_string(request.paths_size()) + " entries; at most " +
                                std::to_string(k_paths_max));
    return;
  }
  for (int i = 0; i < request.paths_size(); ++i) {
    const std::string& path = request.paths(i);
    if (path.size() <= k_path_bytes_max && JsonPath::parse(path)) continue;
    violations.add(FieldPath::element("paths", static_cast<size_t>(i)).text(),
                   "is no path of at most " + std::to_string(k_path_bytes_max) +
                       " bytes; write names with dots between them, and [] behind the name of a "
                       "list, as choices[].message.id");
  }
}

v1::ResponseMetadata::Form to_api(BodyForm form) {
  switch (form) {
    case BodyForm::empty:
      return v1::ResponseMetadata::FORM_EMPTY;
    case BodyForm::json:
      return v1::ResponseMetadata::FORM_JSON;
    case BodyForm::events:
      return v1::ResponseMetadata::FORM_EVENTS;
    case BodyForm::event_stream:
      return v1::ResponseMetadata::FORM_EVENT_STREAM;
    case BodyForm::text:
      return v1::ResponseMetadata::FORM_TEXT;
  }
  return v1::ResponseMetadata::FORM_UNSPECIFIED;
}

v1::ResponseMetadata::Finish to_api(FinishKind kind) {
  switch (kind) {
    case FinishKind::unknown:
      return v1::ResponseMetadata::FINISH_UNSPECIFIED;
    case FinishKind::stop:
      return v1::ResponseMetadata::FINISH_STOP;
    case FinishKind::length:
      return v1::ResponseMetadata::FINISH_LENGTH;
    case FinishKind::tool_calls:
      return v1::ResponseMetadata::FINISH_TOOL_CALLS;
    case FinishKind::content_filter:
      return v1::ResponseMetadata::FINISH_CONTENT_FILTER;
    case FinishKind::cancelled:
      return v1::ResponseMetadata::FINISH_CANCELLED;
    case FinishKind::failed:
      return v1::ResponseMetadata::FINISH_FAILED;
    case FinishKind::unfinished:
      return v1::ResponseMetadata::FINISH_UNFINISHED;
  }
  return v1::ResponseMetadata::FINISH_UNSPECIFIED;
}

void fill_value(const NamedValue& value, v1::FoundValue& out) {
  out.set_path(value.path);
  out.set_value(value.value);
  out.set_header(value.found == Found::header);
}

void fill_reported(const ReportedUsage& usage, v1::ResponseMetadata& out) {
  fill_usage(usage.usage, *out.mutable_usage());
  if (usage.billed) fill_usage(*usage.billed, *out.mutable_billed_usage());
  out.set_cache_write_1h_tokens(usage.cache_write_1h);
  out.set_cached_inside_input(usage.cached_inside_input);
  out.set_reasoning_inside_output(usage.reasoning_inside_output);
  for (const auto& [path, count] : usage.counts) (*out.mutable_counts())[path] = count;
}

void fill_limit(const RateLimit& limit, v1::ProviderRateLimit& out) {
  out.set_name(limit.of);
  if (limit.limit) out.set_limit(*limit.limit);
  if (limit.remaining) out.set_remaining(*limit.remaining);
  out.set_reset(limit.reset);
  if (limit.reset_millis) out.set_reset_ms(*limit.reset_millis);
}

void fill_failure(const ProviderError& error, int status, v1::ProviderFailure& out) {
  out.set_status(status);
  out.set_type(error.type);
  out.set_code(error.code);
  out.set_message(error.message);
  out.set_param(error.param);
}

}  // namespace

std::optional<ApiError> validate(const v1::ExtractMetadataRequest& request, const Limits& limits) {
  Violations violations;
  if (!request.has_response()) {
    violations.add("response", "is required; give the provider's body, headers and status");
  }
  check_response(request.response(), violations);
  check_text_size(FieldPath("provider"), request.provider(), limits.model_bytes, violations);
  check_paths(request, violations);
  if (violations.empty()) return std::nullopt;
  return violations.error();
}

std::optional<ApiError> validate(const v1::GetProviderRequest& request, const Limits& limits) {
  Violations violations;
  if (request.provider().empty()) {
    violations.add("provider", "is required; ListProviders names them");
  }
  check_text_size(FieldPath("provider"), request.provider(), limits.model_bytes, violations);
  if (violations.empty()) return std::nullopt;
  return violations.error();
}

ExtractionOrder::ExtractionOrder(const v1::ExtractMetadataRequest& request) {
  response.status = request.response().status();
  response.body = request.response().body();
  for (const auto& [name, value] : request.response().headers()) {
    response.headers.emplace(absl::AsciiStrToLower(name), value);
  }
  for (const std::string& text : request.paths()) {
    if (auto path = JsonPath::parse(text)) wanted.push_back({text, *std::move(path)});
  }
}

void fill_metadata(const Extraction& extraction, int status, v1::ResponseMetadata& out) {
  out.set_provider(extraction.provider);
  out.set_api(extraction.api);
  out.set_form(to_api(extraction.form));
  out.set_model(extraction.model);
  out.set_response_id(extraction.response_id);
  out.set_request_id(extraction.request_id);
  for (const auto& each : extraction.identifiers) fill_value(each, *out.add_identifiers());
  out.set_identifiers_truncated(!extraction.identifiers_complete);
  for (const auto& each : extraction.wanted) fill_value(each, *out.add_values());
  if (extraction.usage) fill_reported(*extraction.usage, out);
  if (extraction.cost) fill_money(*extraction.cost, *out.mutable_cost());
  out.set_finish(to_api(extraction.finish_kind));
  out.set_finish_reason(extraction.finish);
  out.set_service_tier(extraction.service_tier);
  if (extraction.latency) {
    out.set_latency_us(extraction.latency->micros);
    out.set_latency_source(extraction.latency->source);
  }
  for (const auto& each : extraction.rate_limits) fill_limit(each, *out.add_rate_limits());
  out.set_retry_after_ms(extraction.retry_after_millis.value_or(0));
  if (extraction.error) fill_failure(*extraction.error, status, *out.mutable_error());
  out.set_problem(extraction.problem);
}

}  // namespace parley
