#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "bench/failure.hpp"
#include "bench/machine.hpp"
#include "bench/questions.hpp"
#include "bench/sides.hpp"

namespace parley::bench {
namespace {

/// What a program writes to stdout.
std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) fail("cannot run " + command);
  std::string text;
  std::array<char, 4096> buffer{};
  for (size_t got = 0; (got = fread(buffer.data(), 1, buffer.size(), pipe.get())) > 0;) {
    text.append(buffer.data(), got);
  }
  return text;
}

}  // namespace

Section ask_engine(const Settings& settings) {
  const auto program = std::filesystem::path(program_directory()) / "parley_engine_bench";
  const std::string minimum = settings.quick ? "0.1" : "0.5";
  const std::string text =
      output_of("'" + program.string() +
                "' --benchmark_format=json --benchmark_min_time=" + minimum + " 2>/dev/null");
  const auto found = nlohmann::json::parse(text, nullptr, false);
  if (found.is_discarded()) fail(program.string() + " did not answer with JSON");
  Table table({"what", "CPU ns"});
  for (const auto& benchmark : found.at("benchmarks")) {
    table.row(
        {benchmark.at("name").get<std::string>(), whole(benchmark.at("cpu_time").get<double>())});
  }
  return {"engine", "The core alone",
          "In process, one thread, no gRPC, no disk; per append of one message of 200 B with a "
          "request id, and per answer of a provider.\n\n" +
              table.text()};
}

}  // namespace parley::bench
