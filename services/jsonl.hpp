#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "conversation/limits.hpp"
#include "parley/v1/conversation.pb.h"
#include "services/violations.hpp"

/// The JSONL form: one conversation as a line of JSON, as chat data sets have it. What is read and
/// written again comes out byte for byte, as long as the line has no blanks between messages.
namespace parley {

/// A conversation that came in, in whichever form.
struct ImportedConversation {
  v1::Conversation header;            ///< thread_id is the id to store it under
  std::vector<v1::Message> messages;  ///< without the fields that the server assigns
};

/// IMPORT_LINE_INVALID, naming what is wrong and where, where the line is no conversation.
Checked<ImportedConversation> parse_jsonl(std::string_view line, const Limits& limits);

/// A valid id made from any text: bytes that an id may not hold, and '=', become =XX; what is
/// longer than an id may be is cut and ends in = and a hash of the whole.
std::string escaped_id(std::string_view text);

/// Writes one conversation as a line, without the newline, message by message.
class JsonlLine {
 public:
  explicit JsonlLine(const v1::Conversation& header);
  void add(const v1::Message& message);
  /// Once, at the end.
  std::string finish();
  [[nodiscard]] size_t bytes() const { return line_.size() + tail_.size(); }

 private:
  std::string line_;
  std::string tail_;  ///< what follows the messages
  bool first_ = true;
};

/// One message as an object of the JSONL form.
void append_jsonl_message(const v1::Message& message, std::string& out);

}  // namespace parley
