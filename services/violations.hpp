#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"

namespace parley {

struct FieldViolation {
  std::string field;  ///< a path, such as messages[3].parts[0].tool_call.name
  std::string description;
  bool operator==(const FieldViolation&) const = default;
};

/// What a call is refused with, before it takes the form of the protocol. Made by
/// services/error_table.hpp, so that code, reason and sentence always belong together.
struct ApiError {
  absl::StatusCode code = absl::StatusCode::kInternal;
  std::string reason;   ///< UPPER_SNAKE_CASE, a row of the error table
  std::string message;  ///< tells the caller what to do
  std::map<std::string, std::string> metadata;
  std::vector<FieldViolation> violations;
  std::optional<int64_t> retry_after_ms;  ///< where waiting helps
  std::string quota_subject;              ///< what a limit was reached of; empty where none was
};

/// What was asked, or why it cannot be.
template <class T>
using Checked = std::variant<T, ApiError>;

/// Text of a caller's as it may stand in an error or a log: escaped to ASCII and cut to 64 bytes.
std::string in_quotes(std::string_view text);

/// Everything that is wrong with a request, all at once.
///
/// A value on the stack of whoever checks. Keeps a bounded number of violations and counts the
/// rest, so that an error fits into the metadata of an answer.
class Violations {
 public:
  static constexpr size_t k_kept = 16;

  void add(std::string field, std::string description);

  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] size_t count() const { return count_; }
  [[nodiscard]] const std::vector<FieldViolation>& kept() const { return kept_; }

  /// INVALID_FIELD with all of them. Only where not empty.
  [[nodiscard]] ApiError error() const;

 private:
  std::vector<FieldViolation> kept_;
  size_t count_ = 0;
};

}  // namespace parley
