#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "services/cli/command_line.hpp"

namespace parley::cli {

/// One run of the program in the test's process.
struct ProgramRun {
  int code = -1;
  std::string out;
  std::string err;
};

inline ProgramRun run_program(const std::vector<std::string>& arguments,
                              const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Console console{in, out, err};
  std::vector<const char*> argv = {"parley"};
  for (const auto& argument : arguments) argv.push_back(argument.c_str());
  ProgramRun run;
  run.code = run_command_line(static_cast<int>(argv.size()), argv.data(), console);
  run.out = out.str();
  run.err = err.str();
  return run;
}

}  // namespace parley::cli
