#include "services/providers/response_documents.hpp"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "services/providers/event_frames.hpp"
#include "services/providers/event_text.hpp"

namespace parley {
namespace {

/// More than any model answers with.
constexpr size_t k_events_max = 100'000;

/// A list of answers, as some send a stream, is so many documents.
void add(Json document, std::vector<Json>& documents) {
  if (!document.is_array()) return documents.push_back(std::move(document));
  for (Json& each : document) documents.push_back(std::move(each));
}

/// Bytes of a message in base64, as models' own streams come by way of Bedrock.
Json unpacked(const std::string& type, Json payload) {
  if (const std::string packed = text_at(payload, {"bytes"}); !packed.empty()) {
    std::string bytes;
    if (absl::Base64Unescape(packed, &bytes)) {
      if (auto inner = parse_document(bytes)) return std::move(*inner);
    }
  }
  return Json{{type, std::move(payload)}};
}

ResponseDocuments read_frames(std::string_view body) {
  ResponseDocuments read{BodyForm::event_stream, {}, {}};
  const auto frames = event_frames(body);
  if (!frames.ok()) {
    read.problem = std::string(frames.status().message());
    return read;
  }
  for (const EventFrame& frame : *frames) {
    const auto header = [&frame](const char* name) {
      const auto found = frame.headers.find(name);
      return found == frame.headers.end() ? std::string() : found->second;
    };
    auto payload = parse_document(frame.payload);
    const std::string type = header(":event-type");
    if (payload && !type.empty()) {
      read.documents.push_back(unpacked(type, std::move(*payload)));
    } else if (const std::string exception = header(":exception-type"); !exception.empty()) {
      Json error = {{"type", exception}};
      error["message"] = payload ? text_at(*payload, {"message"}) : frame.payload;
      read.documents.push_back(Json{{"error", std::move(error)}});
    } else {
      read.problem = "a message of the event stream holds no JSON";
    }
  }
  return read;
}

ResponseDocuments read_events(std::string_view body) {
  ResponseDocuments read{BodyForm::events, {}, {}};
  size_t unread = 0;
  const auto events = text_events(body, k_events_max);
  for (const TextEvent& event : events) {
    if (event.data.empty() || event.data == "[DONE]") continue;
    auto document = parse_document(event.data);
    if (!document) {
      ++unread;
      continue;
    }
    add(std::move(*document), read.documents);
  }
  if (unread > 0) read.problem = absl::StrCat(unread, " events hold no JSON");
  if (events.size() >= k_events_max) {
    read.problem = absl::StrCat("only the first ", k_events_max, " events were read");
  }
  return read;
}

/// The first four bytes are a length and no text, as no JSON and no text stream begins.
bool looks_binary(std::string_view body) { return body.size() > 12 && body[0] == '\0'; }

}  // namespace

ResponseDocuments read_documents(std::string_view body) {
  if (looks_binary(body)) return read_frames(body);
  const std::string_view text =
      body.substr(std::min(body.find_first_not_of(" \t\r\n"), body.size()));
  if (text.empty()) return {};
  if (text[0] == '{' || text[0] == '[') {
    if (auto document = parse_document(text)) {
      ResponseDocuments read{BodyForm::json, {}, {}};
      add(std::move(*document), read.documents);
      return read;
    }
  }
  ResponseDocuments read = read_events(text);
  if (!read.documents.empty()) return read;
  return {BodyForm::text, {}, "the body is neither JSON nor a stream of JSON events"};
}

}  // namespace parley
