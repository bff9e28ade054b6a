#pragma once

#include <iosfwd>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "parley/v1/message.pb.h"

namespace parley::cli {

/// What fits one append: the API's limits, with room for the request around the messages.
inline constexpr size_t k_batch_messages_max = 256;
inline constexpr size_t k_batch_bytes_max = 3 << 20;

/// Messages from lines of JSON, gathered into batches that fit one append.
/// Owned by a verb; main thread. Empty lines are skipped.
class MessageLines {
 public:
  explicit MessageLines(std::istream& in) : in_(in) {}

  /// The next batch; empty at the end. An error names the line; what came before it was handed out.
  Result<std::vector<v1::Message>> next_batch();

 private:
  Result<std::optional<v1::Message>> next_message();

  std::istream& in_;
  uint64_t line_ = 0;
  std::optional<v1::Message> kept_;
  Status failed_;
};

}  // namespace parley::cli
