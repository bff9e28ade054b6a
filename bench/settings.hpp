#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/caller.hpp"

namespace parley::bench {

/// What the command line asks for.
struct Settings {
  std::vector<std::string> questions;  ///< empty: all
  bool quick = false;                  ///< small versions of everything
  ClientKind client = ClientKind::light;
  int repetitions = 0;  ///< of each side; 0: 5, quick 3
  double seconds = 0;   ///< of each measured run; 0: 2, quick 1
  int in_flight = 64;
  int connections = 1;
  int64_t conversations = 0;              ///< stored ones in restart; 0: 1,000,000, quick 50,000
  std::vector<std::string> server_flags;  ///< passed on to every parleyd
  std::vector<int> queue_cpus;            ///< of every parleyd's queues alone; empty: anywhere
  std::string dataset;                    ///< directory of the real conversations
  std::string write_to;                   ///< file of results; empty: stdout only
  std::string command;                    ///< as it was given

  [[nodiscard]] int runs() const { return repetitions > 0 ? repetitions : quick ? 3 : 5; }
  [[nodiscard]] double run_seconds() const { return seconds > 0 ? seconds : quick ? 1 : 2; }
};

/// An exit code where the program is to end at once.
std::optional<int> parse_settings(int argc, char** argv, Settings& settings);

}  // namespace parley::bench
