#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/ids.hpp"
#include "services/check_fields.hpp"
#include "services/metadata_json.hpp"
#include "services/validate.hpp"

namespace parley {
namespace {

constexpr size_t k_source_time_bytes = 64;
constexpr int k_headers_max = 64;
constexpr int k_http_status_max = 999;
constexpr int32_t k_nanos_max = 999'999'999;
/// google.protobuf.Duration's own bound: about 10,000 years.
constexpr int64_t k_duration_seconds_max = 315'576'000'000;

/// Fields of messages are found by their getters, so that each stands once, with its bound.
struct PartChecker {
  const FieldPath& at;
  const Limits& limits;
  Violations& violations;

  void bounded(const FieldPath& field, std::string_view text, size_t bytes_max) const {
    check_text_size(field, text, bytes_max, violations);
  }
  void required(const FieldPath& field, std::string_view text) const {
    if (text.empty()) violations.add(field.text(), "is required");
    bounded(field, text, limits.name_bytes);
  }

  void check(const v1::ImagePart& image) const {
    const FieldPath here = at.at("image");
    bounded(here.at("media_type"), image.media_type(), limits.model_bytes);
    bounded(here.at("uri"), image.uri(), limits.uri_bytes);
  }
  void check(const v1::FilePart& file) const {
    const FieldPath here = at.at("file");
    bounded(here.at("media_type"), file.media_type(), limits.model_bytes);
    bounded(here.at("filename"), file.filename(), limits.name_bytes);
    bounded(here.at("uri"), file.uri(), limits.uri_bytes);
  }
  void check(const v1::ToolCallPart& call) const {
    const FieldPath here = at.at("tool_call");
    required(here.at("tool_call_id"), call.tool_call_id());
    required(here.at("name"), call.name());
  }
  void check(const v1::ToolResultPart& result) const {
    required(at.at("tool_result").at("tool_call_id"), result.tool_call_id());
  }
  void check(const v1::ReasoningPart& reasoning) const {
    if (!reasoning.has_opaque() || !reasoning.opaque().has_expire_time()) return;
    const FieldPath here = at.at("reasoning");
    check_time(here.at("opaque").at("expire_time"), reasoning.opaque().expire_time(), violations);
  }
};

void check_part(const FieldPath& at, const v1::Part& part, const Limits& limits,
                Violations& violations) {
  const PartChecker checker{at, limits, violations};
  switch (part.kind_case()) {
    case v1::Part::kText:
      return;
    case v1::Part::kImage:
      return checker.check(part.image());
    case v1::Part::kFile:
      return checker.check(part.file());
    case v1::Part::kToolCall:
      return checker.check(part.tool_call());
    case v1::Part::kToolResult:
      return checker.check(part.tool_result());
    case v1::Part::kReasoning:
      return checker.check(part.reasoning());
    case v1::Part::KIND_NOT_SET:
      return violations.add(
          at.text(),
          "has no kind; set one of text, image, file, tool_call, tool_result, reasoning");
  }
}

void check_response(const FieldPath& at, const v1::ProviderResponse& response,
                    Violations& violations) {
  if (response.headers_size() > k_headers_max) {
    violations.add(at.at("headers").text(), "has " + std::to_string(response.headers_size()) +
                                                " entries; at most " +
                                                std::to_string(k_headers_max));
    return;
  }
  for (const auto& [name, value] : response.headers()) {
    const bool upper =
        std::any_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (upper || name.empty()) {
      violations.add(at.at("headers").text(), in_quotes(name) + " is no header name in lower case");
    }
  }
  if (response.status() < 0 || response.status() > k_http_status_max) {
    violations.add(at.at("status").text(), "must be an HTTP status, or 0 where it was not HTTP");
  }
}

void check_duration(const FieldPath& at, const google::protobuf::Duration& duration,
                    Violations& violations) {
  if (duration.seconds() < 0 || duration.nanos() < 0) {
    violations.add(at.text(), "must not be negative");
  } else if (duration.seconds() > k_duration_seconds_max || duration.nanos() > k_nanos_max) {
    violations.add(at.text(), "is no valid duration");
  }
}

void refuse_assigned(const FieldPath& at, const v1::Message& message, Violations& violations) {
  const auto refuse = [&](std::string_view field) {
    violations.add(at.at(field).text(), "is assigned by the server; leave it out");
  };
  if (message.sequence() != 0) refuse("sequence");
  if (message.has_create_time()) refuse("create_time");
  if (message.version() != 0) refuse("version");
  if (!message.source_json().empty()) {
    violations.add(at.at("source_json").text(), "is for imports only; leave it out");
  }
}

void check_size(const FieldPath& at, const v1::Message& message, const Limits& limits,
                Violations& violations) {
  const size_t bytes = message.ByteSizeLong();
  if (bytes <= limits.message_bytes) return;
  violations.add(at.text(), "takes " + std::to_string(bytes) + " bytes; at most " +
                                std::to_string(limits.message_bytes) +
                                "; split it or send large content by reference");
}

void check_source_json(const FieldPath& at, const std::string& text, Violations& violations) {
  if (text.empty()) return;
  const bool object = text.front() == '{' && nlohmann::json::accept(text) &&
                      text.find_first_of("\r\n") == std::string::npos;
  if (!object) violations.add(at.text(), "must be a JSON object on one line");
}

/// What few messages have.
void check_extras(const FieldPath& at, const v1::Message& message, const Limits& limits,
                  Violations& violations) {
  if (message.has_metadata()) {
    check_metadata(at.at("metadata"), message.metadata(), limits, violations);
  }
  if (message.has_usage()) check_usage(at.at("usage"), message.usage(), limits, violations);
  if (message.has_cost()) check_money(at.at("cost"), message.cost(), limits, violations);
  if (message.has_processing_time()) {
    check_duration(at.at("processing_time"), message.processing_time(), violations);
  }
  if (message.has_provider_response()) {
    check_response(at.at("provider_response"), message.provider_response(), violations);
  }
}

}  // namespace

void check_message(const FieldPath& at, const v1::Message& message, MessageSource source,
                   const Limits& limits, Violations& violations) {
  check_size(at, message, limits, violations);
  if (source == MessageSource::client) refuse_assigned(at, message, violations);
  if (!message.message_id().empty()) {
    check_id_field(at.at("message_id"), message.message_id(), violations);
  }
  check_enum<v1::Role_IsValid>(at.at("role"), message.role(), "use USER, ASSISTANT, SYSTEM or TOOL",
                               violations);
  if (message.parts_size() > static_cast<int>(limits.parts_per_message)) {
    violations.add(at.at("parts").text(), "has " + std::to_string(message.parts_size()) +
                                              " entries; at most " +
                                              std::to_string(limits.parts_per_message));
  } else {
    for (int i = 0; i < message.parts_size(); ++i) {
      check_part(at.at("parts", static_cast<size_t>(i)), message.parts(i), limits, violations);
    }
  }
  check_text_size(at.at("name"), message.name(), limits.name_bytes, violations);
  check_text_size(at.at("provider"), message.provider(), limits.model_bytes, violations);
  check_text_size(at.at("model"), message.model(), limits.model_bytes, violations);
  check_text_size(at.at("finish_reason"), message.finish_reason(), limits.model_bytes, violations);
  check_text_size(at.at("source_time"), message.source_time(), k_source_time_bytes, violations);
  check_not_negative(at.at("api_calls"), message.api_calls(), violations);
  check_extras(at, message, limits, violations);
  if (source == MessageSource::import) {
    check_source_json(at.at("source_json"), message.source_json(), violations);
  }
}

void check_usage(const FieldPath& at, const v1::TokenUsage& usage, const Limits& limits,
                 Violations& violations) {
  const auto check = [&](std::string_view name, int64_t count) {
    if (count < 0 || count > limits.tokens) {
      violations.add(at.at(name).text(), "must be 0 to " + std::to_string(limits.tokens));
    }
  };
  check("prompt_tokens", usage.prompt_tokens());
  check("completion_tokens", usage.completion_tokens());
  check("total_tokens", usage.total_tokens());
  check("cached_tokens", usage.cached_tokens());
  check("cache_write_tokens", usage.cache_write_tokens());
  check("reasoning_tokens", usage.reasoning_tokens());
}

void check_money(const FieldPath& at, const v1::Money& money, const Limits& limits,
                 Violations& violations) {
  const std::string& code = money.currency_code();
  const bool capitals =
      std::all_of(code.begin(), code.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (code.size() != 3 || !capitals) {
    violations.add(at.at("currency_code").text(),
                   "must be three capitals of ISO 4217, such as USD");
  }
  if (money.units() < -limits.money_units || money.units() > limits.money_units) {
    violations.add(at.at("units").text(), "must be -" + std::to_string(limits.money_units) +
                                              " to " + std::to_string(limits.money_units));
  }
  if (money.nanos() < -k_nanos_max || money.nanos() > k_nanos_max) {
    violations.add(at.at("nanos").text(), "must be -999999999 to 999999999");
  } else if ((money.units() > 0 && money.nanos() < 0) || (money.units() < 0 && money.nanos() > 0)) {
    violations.add(at.at("nanos").text(), "must have the same sign as units");
  }
}

void check_metadata(const FieldPath& at, const google::protobuf::Struct& metadata,
                    const Limits& limits, Violations& violations) {
  thread_local std::string json;
  json.clear();
  const auto problem = append_json(metadata, limits.metadata_depth, json);
  if (!problem) return check_text_size(at, json, limits.metadata_bytes, violations);
  switch (*problem) {
    case MetadataProblem::too_deep:
      return violations.add(at.text(), "is nested deeper than " +
                                           std::to_string(limits.metadata_depth) + "; flatten it");
    case MetadataProblem::not_finite:
      return violations.add(at.text(), "holds NaN or an infinity, which JSON lacks; use a string");
    case MetadataProblem::no_kind:
      return violations.add(at.text(), "holds a value of no kind; use null_value for null");
  }
}

}  // namespace parley
