#pragma once

#include <string>

#include "conversation/limits.hpp"

namespace parley {

/// Every bound with its default and meaning, as the README shows it between its markers.
std::string limits_table_markdown(const Limits& limits = {});

}  // namespace parley
