#include "services/cli/failures.hpp"

#include <array>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

#include "services/cli/interrupt.hpp"
#include "services/cli/terminal_text.hpp"

namespace parley::cli {
namespace {

constexpr const char* k_call_payload = "parley.cli/call";
constexpr const char* k_usage_payload = "parley.cli/usage";

void read_detail(const google::protobuf::Any& any, FailureDetails* details) {
  if (google::rpc::ErrorInfo info; any.UnpackTo(&info)) {
    details->reason = info.reason();
    details->metadata.insert(info.metadata().begin(), info.metadata().end());
  } else if (google::rpc::BadRequest bad; any.UnpackTo(&bad)) {
    for (const auto& field : bad.field_violations()) {
      details->fields.emplace_back(field.field(), field.description());
    }
  } else if (google::rpc::QuotaFailure quota; any.UnpackTo(&quota)) {
    for (const auto& limit : quota.violations()) {
      details->quotas.emplace_back(limit.subject(), limit.description());
    }
  } else if (google::rpc::RetryInfo retry; any.UnpackTo(&retry)) {
    const auto& delay = retry.retry_delay();
    details->retry_after = std::chrono::seconds(delay.seconds()) + Micros(delay.nanos() / 1000);
  }
}

/// gRPC's "failed to connect to all addresses; last error: ...: Connection refused" in fewer words.
std::string unreachable(const std::string& message, const std::string& address) {
  const size_t colon = message.rfind(": ");
  const std::string cause = colon == std::string::npos ? message : message.substr(colon + 2);
  return absl::StrCat("no server answers at ", address, cause.empty() ? "" : ": ", cause);
}

/// What to do, in terms of this program, beyond what the server's message says.
std::string remedy(const Status& status, const FailureDetails& details, const std::string& what) {
  if (never_reached(status)) {
    return "start a server with './dev run' or 'parleyd', or name another one with --address or "
           "PARLEY_ADDRESS";
  }
  const auto current = details.metadata.find("current_version");
  if (details.reason == "VERSION_MISMATCH" && current != details.metadata.end()) {
    return absl::StrCat("read it again with 'parley get', then repeat with --expected-version ",
                        current->second);
  }
  if (details.reason == "CONVERSATION_ARCHIVED") {
    return "make it active again with 'parley update <thread_id> --activate'";
  }
  if (details.reason == "CONVERSATION_NOT_FOUND") {
    return "see what there is with 'parley list', or make it with 'parley create'; --tenant or "
           "PARLEY_TENANT names another tenant";
  }
  if (details.reason == "REQUEST_ID_REUSED") {
    return "leave --request-id away to get a fresh one";
  }
  switch (status.code()) {
    case absl::StatusCode::kDeadlineExceeded:
      return "a change may still have happened: look, or repeat with the same --request-id; allow "
             "more time with --deadline";
    case absl::StatusCode::kUnimplemented:
      return "the server does not know this call; is it older than this program?";
    case absl::StatusCode::kDataLoss:
      if (what == "restore") {
        return "choose another backup with --id; 'parley backup list' names those that there are";
      }
      return "see what is damaged with 'parley verify'; 'parley restore' brings back a backup";
    default:
      return "";
  }
}

}  // namespace

std::string code_name(absl::StatusCode code) {
  static constexpr std::array k_names = {"OK",
                                         "CANCELLED",
                                         "UNKNOWN",
                                         "INVALID_ARGUMENT",
                                         "DEADLINE_EXCEEDED",
                                         "NOT_FOUND",
                                         "ALREADY_EXISTS",
                                         "PERMISSION_DENIED",
                                         "RESOURCE_EXHAUSTED",
                                         "FAILED_PRECONDITION",
                                         "ABORTED",
                                         "OUT_OF_RANGE",
                                         "UNIMPLEMENTED",
                                         "INTERNAL",
                                         "UNAVAILABLE",
                                         "DATA_LOSS",
                                         "UNAUTHENTICATED"};
  const auto index = static_cast<size_t>(code);
  return index < k_names.size() ? k_names[index] : absl::StrCat("CODE_", index);
}

Status call_failure(int code, const std::string& message, const std::string& details) {
  if (code == 0) return absl::OkStatus();
  Status status(static_cast<absl::StatusCode>(code), message);
  status.SetPayload(k_call_payload, absl::Cord(details));
  return status;
}

Status failure_like_call(absl::StatusCode code, const std::string& message) {
  google::rpc::ErrorInfo info;
  info.set_reason(code_name(code));
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  return call_failure(static_cast<int>(code), message, details.SerializeAsString());
}

Status usage_failure(const std::string& message) {
  Status status = absl::InvalidArgumentError(message);
  status.SetPayload(k_usage_payload, absl::Cord());
  return status;
}

FailureDetails failure_details(const Status& status) {
  FailureDetails details;
  const auto payload = status.GetPayload(k_call_payload);
  google::rpc::Status rich;
  if (!payload || !rich.ParseFromString(std::string(*payload))) return details;
  for (const auto& any : rich.details()) read_detail(any, &details);
  return details;
}

bool never_reached(const Status& status) {
  if (status.code() != absl::StatusCode::kUnavailable) return false;
  const auto payload = status.GetPayload(k_call_payload);
  return payload && payload->empty();
}

bool server_gone(const Status& status) {
  if (exit_code(status) < k_exit_call) return false;
  if (status.code() == absl::StatusCode::kUnavailable) return true;
  return status.code() == absl::StatusCode::kCancelled && failure_details(status).reason.empty() &&
         !interrupted();
}

std::string describe_outage(const Status& status) {
  if (never_reached(status)) return "the server does not answer";
  const bool cut_off = status.code() == absl::StatusCode::kCancelled;
  return cut_off ? "the server closed the connection" : std::string(status.message());
}

int exit_code(const Status& status) {
  if (status.ok()) return k_exit_ok;
  if (status.GetPayload(k_usage_payload)) return k_exit_usage;
  if (status.GetPayload(k_call_payload)) return k_exit_call + status.raw_code();
  return k_exit_failure;
}

std::string describe_failure(const Status& status, const std::string& what,
                             const std::string& address) {
  const FailureDetails details = failure_details(status);
  std::string message(status.message());
  if (never_reached(status)) message = unreachable(message, address);
  if (message.empty()) message = code_name(status.code());
  std::string text = absl::StrCat("parley: ", what, ": ", printable(message, false), "\n");
  const auto line = [&text](const std::string& name, const std::string& value) {
    absl::StrAppend(&text, "  ", printable(name, false), ": ", printable(value, false), "\n");
  };
  if (exit_code(status) >= k_exit_call) {
    const std::string code = code_name(status.code());
    const bool named = !details.reason.empty() && details.reason != code;
    line("reason", named ? absl::StrCat(details.reason, " (", code, ")") : code);
  }
  for (const auto& [field, problem] : details.fields) line("field " + field, problem);
  for (const auto& [subject, limit] : details.quotas) line("limit " + subject, limit);
  for (const auto& [key, value] : details.metadata) line(key, value);
  if (details.retry_after) line("retry after", format_duration(*details.retry_after));
  const std::string next = exit_code(status) == k_exit_usage
                               ? "see 'parley --help' and 'parley <verb> --help'"
                               : remedy(status, details, what);
  if (!next.empty()) line("what to do", next);
  return text;
}

}  // namespace parley::cli
