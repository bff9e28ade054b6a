#include "services/cli/console.hpp"

#include <ostream>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"

namespace parley::cli {

void Console::note(const std::string& line) const {
  if (!quiet) err << line << std::endl;
}

void Console::put_json(const google::protobuf::Message& message) const {
  const auto text = to_json(message);
  if (text.ok()) {
    out << *text << '\n';
    return;
  }
  err << "parley: " << text.status().message() << '\n';
  // Why: data that is missing from stdout must not end with exit code 0.
  out.setstate(std::ios::failbit);
}

Result<std::string> to_json(const google::protobuf::Message& message) {
  std::string text;
  const auto printed = google::protobuf::util::MessageToJsonString(message, &text);
  if (printed.ok()) return text;
  return absl::DataLossError(
      absl::StrCat("a ", message.GetTypeName(), " has no JSON form: ", printed.message().data()));
}

std::string shown_as_json(const google::protobuf::Message& message) {
  const auto text = to_json(message);
  return text.ok() ? *text : "(" + std::string(text.status().message()) + ")";
}

}  // namespace parley::cli
