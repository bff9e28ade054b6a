#pragma once

#include <iosfwd>
#include <string>

#include "base/result.hpp"

namespace google::protobuf {
class Message;
}

namespace parley::cli {

/// Where a run of the program reads and writes: data to `out`, everything else to `err`.
/// Owned by main (or a test), lives for the whole run; used on the main thread.
struct Console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  /// Colours may be used on `out`: it is a terminal and NO_COLOR is not set.
  bool colour = false;
  /// Answers go out as the API's JSON.
  bool json = false;
  /// No notes and no progress.
  bool quiet = false;

  /// A line for people, on `err`.
  void note(const std::string& line) const;
  /// One answer as a line of JSON, on `out`; an answer that has no JSON is told on `err`.
  void put_json(const google::protobuf::Message& message) const;
};

/// The message as the API's JSON, on one line. Fails for values that JSON cannot hold, such as a
/// number that is not finite.
Result<std::string> to_json(const google::protobuf::Message& message);
/// The same for showing only: what cannot be shown is named instead.
std::string shown_as_json(const google::protobuf::Message& message);

}  // namespace parley::cli
