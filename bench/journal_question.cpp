#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "bench/failure.hpp"
#include "bench/questions.hpp"
#include "bench/sides.hpp"
#include "tests/storage/postgres_instance.hpp"
#include "tests/storage/postgres_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::bench {
namespace {

const Crowd k_thousand{"busy", 1'000};
constexpr size_t k_message_bytes = 200;
/// pgbench takes up to two seconds to connect, which it leaves out of its rate.
constexpr int k_connecting_seconds = 3;

/// What a program would do without Parley: one function, one call an append.
constexpr const char* k_plain = R"sql(
CREATE SCHEMA plain;
CREATE TABLE plain.conversations (thread_id text PRIMARY KEY, version bigint NOT NULL);
CREATE TABLE plain.messages (
  thread_id text, sequence bigint, role text NOT NULL, content text NOT NULL,
  create_time timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (thread_id, sequence));
CREATE FUNCTION plain.append(t text, c text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v bigint;
BEGIN
  UPDATE plain.conversations SET version = version + 1 WHERE thread_id = t RETURNING version INTO v;
  INSERT INTO plain.messages (thread_id, sequence, role, content) VALUES (t, v, 'user', c);
  RETURN v;
END $$;
INSERT INTO plain.conversations SELECT 'busy-' || n, 0 FROM generate_series(0, 999) n;
)sql";

/// Calls of that function a second, by so many sessions.
double plain_rate(const test::PostgresInstance& database, const std::string& script, int sessions,
                  double seconds) {
  const std::string command =
      absl::StrCat(test::database_program("pgbench"), " -n -M prepared -c ", sessions, " -j 2 -T ",
                   k_connecting_seconds + static_cast<int>(seconds + 0.5), " -f ", script, " '",
                   database.url(), "' 2>&1");
  FILE* output = popen(command.c_str(), "r");
  std::string said;
  for (std::array<char, 4096> part{}; std::fgets(part.data(), part.size(), output) != nullptr;) {
    said += part.data();
  }
  pclose(output);
  const size_t at = said.find("tps = ");
  double rate = 0;
  if (at == std::string::npos ||
      !absl::SimpleAtod(said.substr(at + 6, said.find(' ', at + 6) - at - 6), &rate)) {
    fail("pgbench said: " + said);
  }
  return rate;
}

}  // namespace

Section ask_journal(const Settings& settings) {
  const test::TempDir dir;
  const test::PostgresInstance database(true);
  database.run(k_plain);
  const std::string script = dir / "append.sql";
  std::ofstream(script) << "\\set n random(0, 999)\nSELECT plain.append('busy-' || :n, '"
                        << std::string(k_message_bytes, 'x') << "');\n";
  BenchServer server(settings, dir / "data",
                     {"--cluster", "shared", "--journal", database.url(), "--node", "alone",
                      "--peers", "alone=127.0.0.1:27500"});
  server.wait_until_serving();
  while (!server.all_served_by("alone")) stop_if_interrupted();
  const auto caller = connect(settings.client, server.address(), settings.connections);
  fill(*caller, k_thousand, {});
  Table table({"sessions", "plain calls/s", "Parley's appends/s", "ratio (least to most)"});
  for (const int sessions : {16, 64}) {
    Runs plain{.name = "plain"};
    Runs parley{.name = "Parley"};
    for (int i = 0; i < settings.runs(); ++i) {
      plain.rate.push_back(plain_rate(database, script, sessions, settings.run_seconds()));
      ClosedLoop loop;
      loop.in_flight = settings.in_flight;
      loop.seconds = settings.run_seconds();
      parley.rate.push_back(run_closed(*caller, appends(k_thousand), loop).rate());
      say(absl::StrCat("  ", sessions, " sessions: plain ", whole(plain.rate.back()), "/s, Parley ",
                       whole(parley.rate.back()), "/s"));
    }
    table.row({absl::StrCat(sessions), whole(median(plain.rate)), whole(median(parley.rate)),
               ratio_text(parley, plain)});
  }
  const std::string text = absl::StrCat(
      "A database of the run's own, which syncs: one function called for each append by so many "
      "sessions (pgbench, prepared), and appends through one parleyd that has it as its journal, ",
      settings.in_flight, " in flight; medians of ", settings.runs(), " runs of ",
      decimal(settings.run_seconds(), 1),
      " s each, in turn. One message of 200 B to 1,000 conversations.\n\n", table.text());
  server.stop();
  return {"journal", "Appends to PostgreSQL", text};
}

}  // namespace parley::bench
