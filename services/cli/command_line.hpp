#pragma once

#include "services/cli/console.hpp"

namespace parley::cli {

/// Runs the program: reads the arguments, does what they ask, prints. Returns the exit code. Called
/// once from main; tests call it with consoles of their own. Writes `json`, `quiet` of the console.
int run_command_line(int argc, const char* const* argv, Console& console);

}  // namespace parley::cli
