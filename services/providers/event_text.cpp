#include "services/providers/event_text.hpp"

#include <algorithm>
#include <utility>

namespace parley {
namespace {

/// Takes the first line off.
std::string_view take_line(std::string_view& text) {
  const size_t end = text.find_first_of("\r\n");
  const std::string_view line = text.substr(0, end);
  if (end == std::string_view::npos) {
    text = {};
  } else {
    text.remove_prefix(text.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
  return line;
}

}  // namespace

std::vector<TextEvent> text_events(std::string_view text, size_t most) {
  std::vector<TextEvent> events;
  TextEvent event;
  bool has_data = false;
  const auto dispatch = [&] {
    if (has_data) events.push_back(std::move(event));
    event = {};
    has_data = false;
  };
  constexpr std::string_view k_byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(k_byte_order_mark)) text.remove_prefix(k_byte_order_mark.size());
  while (!text.empty() && events.size() < most) {
    const std::string_view line = take_line(text);
    const std::string_view bare = line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
    if (bare.empty()) {
      dispatch();
    } else if (bare[0] == '{' || bare[0] == '[') {
      dispatch();
      events.push_back({{}, std::string(bare)});
    } else if (line[0] != ':') {
      const size_t colon = line.find(':');
      const std::string_view field = line.substr(0, colon);
      std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
      if (value.starts_with(' ')) value.remove_prefix(1);
      if (field == "event") event.type = value;
      if (field == "data") {
        if (has_data) event.data += '\n';
        event.data += value;
        has_data = true;
      }
    }
  }
  if (events.size() < most) dispatch();
  return events;
}

}  // namespace parley
