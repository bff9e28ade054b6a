#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "services/cli/units.hpp"

namespace parley::cli {

/// Exit codes of the program. A failed call exits with k_exit_call + its gRPC status code.
inline constexpr int k_exit_ok = 0;
inline constexpr int k_exit_failure = 1;
inline constexpr int k_exit_usage = 2;
inline constexpr int k_exit_call = 64;
inline constexpr int k_exit_interrupted = 130;

/// A call's failure as a Status: `code` is the gRPC code, `details` the bytes of the trailer
/// `grpc-status-details-bin`, empty where there was none. It is told apart from failures of our own
/// by a payload.
Status call_failure(int code, const std::string& message, const std::string& details);
/// A failure that has the exit code of a gRPC status without a call: verify that finds damage.
Status failure_like_call(absl::StatusCode code, const std::string& message);
/// The caller wrote something that makes no sense. Exits with 2.
Status usage_failure(const std::string& message);

/// What a server says about a failure beside its message.
struct FailureDetails {
  std::string reason;
  std::map<std::string, std::string> metadata;
  /// Field and what is wrong with it.
  std::vector<std::pair<std::string, std::string>> fields;
  /// Subject and limit.
  std::vector<std::pair<std::string, std::string>> quotas;
  std::optional<Micros> retry_after;
};

FailureDetails failure_details(const Status& status);
/// The call did not reach a Parley server: nobody answered at that address, or not in our terms.
bool never_reached(const Status& status);

/// The server is not there, or went away: the same may go well when it is back. Also a call that
/// was cancelled by nobody here: that is how one ends that comes while a server closes its
/// connections.
bool server_gone(const Status& status);

/// Why a call was cut off, in few words, for a note that it goes on.
std::string describe_outage(const Status& status);

int exit_code(const Status& status);

/// What to print about a failure: "parley: append: <message>", then a line each for the reason, the
/// fields, the limits and what to do. Ends with a newline.
std::string describe_failure(const Status& status, const std::string& what,
                             const std::string& address);

/// "ABORTED" for 10.
std::string code_name(absl::StatusCode code);

}  // namespace parley::cli
