#include <algorithm>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

#include "services/error_table.hpp"

namespace parley {
namespace {

// Together below 4 KiB: an answer's metadata is bounded at 8 KiB, and base64 takes a third more.
constexpr size_t k_message_bytes = 640;
constexpr size_t k_metadata_value_bytes = 160;
constexpr size_t k_metadata_bytes = 768;
constexpr size_t k_violations_bytes = 1536;

/// Cut between characters: what goes into a proto3 string must stay UTF-8.
std::string cut(const std::string& text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

google::rpc::ErrorInfo error_info(const ApiError& error) {
  google::rpc::ErrorInfo info;
  info.set_reason(error.reason);
  info.set_domain("parley");
  size_t bytes = 0;
  for (const auto& [name, value] : error.metadata) {
    const std::string shown = cut(value, k_metadata_value_bytes);
    bytes += name.size() + shown.size();
    if (bytes > k_metadata_bytes) break;
    (*info.mutable_metadata())[name] = shown;
  }
  return info;
}

google::rpc::BadRequest bad_request(const ApiError& error) {
  google::rpc::BadRequest bad;
  size_t bytes = 0;
  for (const FieldViolation& violation : error.violations) {
    bytes += violation.field.size() + violation.description.size() + 8;
    if (bytes > k_violations_bytes) break;
    auto* out = bad.add_field_violations();
    out->set_field(violation.field);
    out->set_description(violation.description);
  }
  return bad;
}

}  // namespace

google::rpc::Status to_rpc_status(const ApiError& error) {
  google::rpc::Status status;
  status.set_code(static_cast<int>(error.code));
  status.set_message(cut(error.message, k_message_bytes));
  status.add_details()->PackFrom(error_info(error));
  if (!error.violations.empty()) status.add_details()->PackFrom(bad_request(error));
  if (error.retry_after_ms) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(*error.retry_after_ms / 1'000);
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int32_t>(*error.retry_after_ms % 1'000 * 1'000'000));
    status.add_details()->PackFrom(retry);
  }
  if (!error.quota_subject.empty()) {
    google::rpc::QuotaFailure quota;
    auto* violation = quota.add_violations();
    violation->set_subject(cut(error.quota_subject, k_metadata_value_bytes));
    violation->set_description(error.reason);
    status.add_details()->PackFrom(quota);
  }
  return status;
}

ApiError from_rpc_status(const google::rpc::Status& status) {
  ApiError error;
  error.code = static_cast<absl::StatusCode>(status.code());
  error.message = status.message();
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad;
  google::rpc::RetryInfo retry;
  google::rpc::QuotaFailure quota;
  for (const auto& detail : status.details()) {
    if (detail.UnpackTo(&info)) {
      error.reason = info.reason();
      error.metadata = {info.metadata().begin(), info.metadata().end()};
    } else if (detail.UnpackTo(&bad)) {
      for (const auto& violation : bad.field_violations()) {
        error.violations.push_back({violation.field(), violation.description()});
      }
    } else if (detail.UnpackTo(&retry)) {
      error.retry_after_ms =
          retry.retry_delay().seconds() * 1'000 + retry.retry_delay().nanos() / 1'000'000;
    } else if (detail.UnpackTo(&quota) && quota.violations_size() > 0) {
      error.quota_subject = quota.violations(0).subject();
    }
  }
  return error;
}

}  // namespace parley
