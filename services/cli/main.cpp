#include <cstdlib>
#include <iostream>
#include <unistd.h>

#include "services/cli/command_line.hpp"

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  std::cin.tie(nullptr);
  const char* no_color = std::getenv("NO_COLOR");
  const bool out_is_terminal = isatty(STDOUT_FILENO) == 1;
  parley::cli::Console console{std::cin, std::cout, std::cerr};
  console.in_is_terminal = isatty(STDIN_FILENO) == 1;
  console.out_is_terminal = out_is_terminal;
  console.err_is_terminal = isatty(STDERR_FILENO) == 1;
  console.colour = out_is_terminal && (no_color == nullptr || *no_color == '\0');
  // Why: gRPC logs to stderr on its own, which mixes with what this program says.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  return parley::cli::run_command_line(argc, argv, console);
}
