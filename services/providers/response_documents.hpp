#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/providers/identifiers.hpp"
#include "services/providers/json_path.hpp"

namespace parley {

/// How a body is put together.
enum class BodyForm : uint8_t { empty, json, events, event_stream, text };

/// A response's body as what can be read in it: one document, or one for each event of a stream.
struct ResponseDocuments {
  BodyForm form = BodyForm::empty;
  std::vector<Json> documents;
  /// What of it could not be read, for a person; empty where all could.
  std::string problem;
};

/// By what the body is, whatever its media type says: JSON, also behind blanks and as a list;
/// `text/event-stream`, one JSON text a line, and AWS's binary stream, whose events become
/// `{"messageStop": {...}}`. Events that hold no JSON (`[DONE]`, comments) are left out, and those
/// behind the first 100,000, which `problem` says.
ResponseDocuments read_documents(std::string_view body);

}  // namespace parley
