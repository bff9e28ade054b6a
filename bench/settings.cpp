#include "bench/settings.hpp"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include <CLI/CLI.hpp>

#include "bench/machine.hpp"

namespace parley::bench {
namespace {

std::string command_line(int argc, char** argv) {
  std::string text = "./dev bench";
  for (int i = 1; i < argc; ++i) absl::StrAppend(&text, " ", argv[i]);
  return text;
}

}  // namespace

std::optional<int> parse_settings(int argc, char** argv, Settings& settings) {
  CLI::App app("parley_bench: measures parleyd, beside a no-op echo of the same server");
  app.add_option(
         "questions", settings.questions,
         "append read hot forward move journal takeover mixed cold restart sessions storage "
         "engine; none: all")
      ->check(CLI::IsMember({"append", "read", "hot", "forward", "move", "journal", "takeover",
                             "mixed", "cold", "restart", "sessions", "storage", "engine"}));
  app.add_flag("--quick", settings.quick, "Small versions, some minutes in all");
  app.add_option("--client", settings.client, "light (HTTP/2 by hand) or grpc (gRPC C++)")
      ->transform(CLI::CheckedTransformer(std::map<std::string, ClientKind>{
          {"light", ClientKind::light}, {"grpc", ClientKind::grpc}}))
      ->option_text("light|grpc");
  app.add_option("--repetitions", settings.repetitions, "Runs of each side (5; quick 3)")
      ->check(CLI::Range(1, 1000));
  app.add_option("--seconds", settings.seconds, "Length of a run (2; quick 1)")
      ->check(CLI::Range(0.1, 3600.0));
  app.add_option("--in-flight", settings.in_flight, "Calls under way")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--connections", settings.connections, "Connections of the client")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--conversations", settings.conversations,
                 "Stored for restart (1,000,000; quick 50,000)")
      ->check(CLI::Range(int64_t{1'000}, int64_t{1'000'000'000}));
  app.add_option("--server-flag", settings.server_flags,
                 "Passed on to parleyd, e.g. --server-flag=--threads=2; may be repeated")
      ->take_all();
  app.add_option("--queue-cpus", settings.queue_cpus,
                 "Passed on to parleyd; loads that are measured keep off these CPUs, too")
      ->delimiter(',');
  settings.dataset =
      (std::filesystem::path(PARLEY_SOURCE_DIR) / ".." / "shared" / "data" / "conversations")
          .lexically_normal()
          .string();
  app.add_option("--dataset", settings.dataset, "Directory with the real conversations (*.jsonl)");
  app.add_option("--write", settings.write_to, "Write the sections measured into this file");
  app.allow_extras(false);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  settings.command = command_line(argc, argv);
  return std::nullopt;
}

}  // namespace parley::bench
