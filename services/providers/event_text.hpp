#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace parley {

/// One event of a stream of text.
struct TextEvent {
  std::string type;  ///< what `event:` said; empty where it said nothing
  std::string data;
  bool operator==(const TextEvent&) const = default;
};

/// The events of a stream as the HTML standard defines `text/event-stream`: fields and comments,
/// lines that end in LF, CR or both, several lines of data in one event. An event that the text
/// breaks off in counts as well, for that is what a lost connection leaves. Lines that are no
/// fields but JSON by themselves (`application/x-ndjson`) are an event each. Not more than `most`
/// are read: each takes memory, however short it is.
std::vector<TextEvent> text_events(std::string_view text, size_t most = SIZE_MAX);

}  // namespace parley
