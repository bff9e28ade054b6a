#include "services/cli/message_lines.hpp"

#include <istream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "services/cli/arguments.hpp"

namespace parley::cli {

Result<std::optional<v1::Message>> MessageLines::next_message() {
  if (kept_) {
    std::optional<v1::Message> message = std::move(kept_);
    kept_.reset();
    return message;
  }
  std::string text;
  while (std::getline(in_, text)) {
    ++line_;
    if (absl::StripAsciiWhitespace(text).empty()) continue;
    v1::Message message;
    const Status parsed = parse_json(text, &message);
    if (parsed.ok()) return message;
    return absl::InvalidArgumentError(
        absl::StrCat("line ", line_, " ", std::string(parsed.message())));
  }
  return std::nullopt;
}

Result<std::vector<v1::Message>> MessageLines::next_batch() {
  std::vector<v1::Message> batch;
  size_t bytes = 0;
  while (failed_.ok() && batch.size() < k_batch_messages_max) {
    auto message = next_message();
    if (!message.ok()) {
      failed_ = message.status();
      break;
    }
    if (!message->has_value()) break;
    const size_t size = (**message).ByteSizeLong();
    if (!batch.empty() && bytes + size > k_batch_bytes_max) {
      kept_ = std::move(**message);
      break;
    }
    bytes += size;
    batch.push_back(std::move(**message));
  }
  if (batch.empty() && !failed_.ok()) return failed_;
  return batch;
}

}  // namespace parley::cli
