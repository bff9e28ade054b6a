#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "bench/questions.hpp"
#include "bench/sides.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::bench {
namespace {

const Crowd k_thousand{"busy", 1'000};
constexpr int k_read_messages = 20;

/// A server with 1,000 conversations, and a client that is connected to it.
struct Stage {
  explicit Stage(const Settings& settings) : server(settings, dir / "data") {
    server.wait_until_serving();
    caller = connect(settings.client, server.address(), settings.connections);
    fill(*caller, k_thousand, {.messages = k_read_messages});
  }

  test::TempDir dir;
  BenchServer server;
  std::unique_ptr<Caller> caller;
};

std::string memory_line(const BenchServer& server) {
  return absl::StrCat("\nServer's resident memory at the end ",
                      megabytes(static_cast<double>(server.resident_bytes())), " MB, at most ",
                      megabytes(static_cast<double>(server.resident_bytes_max())), " MB.\n");
}

std::string intro(const Settings& settings) {
  return absl::StrCat("Medians of ", settings.runs(), " runs of ",
                      decimal(settings.run_seconds(), 1), " s each, the sides in turn. Client: ",
                      settings.client == ClientKind::light ? "light (HTTP/2 by hand)" : "gRPC C++",
                      ", one thread.");
}

std::string load_name(int in_flight, int connections) {
  return absl::StrCat(in_flight, " in flight, ", connections,
                      connections == 1 ? " connection" : " connections");
}

}  // namespace

Section ask_append(const Settings& settings) {
  Stage stage(settings);
  Table table = side_table();
  const NextRequest append = appends(k_thousand);
  const auto compare = [&](Caller& caller, int in_flight, int connections) {
    say(load_name(in_flight, connections));
    const std::vector<Side> sides = {{"echo", echoes_like(caller, append)},
                                     {"append", append},
                                     {"echo in bursts", echoes_like(caller, append, false)}};
    add_rows(table, load_name(in_flight, connections),
             interleave(settings, stage.server, caller, sides, in_flight));
  };
  compare(*stage.caller, settings.in_flight, settings.connections);
  std::string text = absl::StrCat(intro(settings), " One message of 200 B to 1,000 conversations ",
                                  "round robin, with a request id unless said otherwise; ",
                                  "acknowledged when durable.\n\n");
  for (const int in_flight : {1, 16, 256}) {
    compare(*stage.caller, in_flight, settings.connections);
  }
  compare(*connect(settings.client, stage.server.address(), 4), settings.in_flight, 4);
  say("without request ids");
  const NextRequest plain = appends(k_thousand, {.request_ids = false});
  add_rows(table, absl::StrCat(load_name(settings.in_flight, settings.connections), ", no id"),
           interleave(settings, stage.server, *stage.caller,
                      {{"echo", echoes_like(*stage.caller, plain)}, {"append", plain}},
                      settings.in_flight));
  text += table.text() + memory_line(stage.server);
  stage.server.stop();
  return {"append", "Durable append", text};
}

Section ask_read(const Settings& settings) {
  Stage stage(settings);
  Table table = side_table();
  const NextRequest get = gets(k_thousand, k_read_messages);
  const size_t bytes = call_once(*stage.caller, get);
  const auto compare = [&](Caller& caller, int connections) {
    say(load_name(settings.in_flight, connections));
    const std::vector<Side> sides = {{"echo", echoes_like(caller, get)},
                                     {"get", get},
                                     {"echo in bursts", echoes_like(caller, get, false)}};
    add_rows(table, load_name(settings.in_flight, connections),
             interleave(settings, stage.server, caller, sides, settings.in_flight));
  };
  compare(*stage.caller, settings.connections);
  compare(*connect(settings.client, stage.server.address(), 4), 4);
  const std::string text =
      absl::StrCat(intro(settings), " GetConversation with the last ", k_read_messages,
                   " messages of 200 B, 1,000 conversations round robin; an answer has ", bytes,
                   " bytes.\n\n", table.text(), memory_line(stage.server));
  stage.server.stop();
  return {"read", "Read of the last 20 messages", text};
}

Section ask_hot(const Settings& settings) {
  Stage stage(settings);
  const NextRequest many = appends(k_thousand);
  const NextRequest one = appends({"hot", 1}, {.create_if_missing = true});
  call_once(*stage.caller, one, UINT32_MAX);
  const std::vector<Side> sides = {{"append to 1,000", many},
                                   {"append to one", one},
                                   {"echo", echoes_like(*stage.caller, many)}};
  const auto runs = interleave(settings, stage.server, *stage.caller, sides, settings.in_flight);
  Table table = side_table();
  add_rows(table, load_name(settings.in_flight, settings.connections), runs);
  const std::string text =
      absl::StrCat(intro(settings), " Ratios are to the appends to 1,000 conversations.\n\n",
                   table.text(), memory_line(stage.server));
  stage.server.stop();
  return {"hot", "One hot conversation", text};
}

}  // namespace parley::bench
