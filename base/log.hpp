#pragma once

#include <spdlog/spdlog.h>

namespace parley {

/// One line an event on stderr, text on a terminal and JSON otherwise. Never a message's content.
void start_logging(spdlog::level::level_enum level);

}  // namespace parley
