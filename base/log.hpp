#pragma once

#include <string>
#include <string_view>

#include <spdlog/spdlog.h>

namespace parley {

/// One line an event on stderr, text on a terminal and JSON otherwise. Never a message's content.
void start_logging(spdlog::level::level_enum level);

/// Text as it may stand between the quotes of a JSON string; what is not UTF-8 becomes U+FFFD.
std::string escape_json(std::string_view text);

}  // namespace parley
