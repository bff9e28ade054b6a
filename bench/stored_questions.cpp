#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <unistd.h>

#include "absl/strings/str_cat.h"

#include "bench/machine.hpp"
#include "bench/questions.hpp"
#include "bench/sides.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int k_messages = 10;
constexpr size_t k_message_bytes = 200;
/// Coprime to every count used, so that steps of it visit each conversation once, far apart.
constexpr uint64_t k_stride = 7'368'787;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double payload_bytes(uint64_t conversations) {
  return static_cast<double>(conversations) * k_messages * k_message_bytes;
}

std::string micros_of(const Latencies& latency, double part) {
  return whole(static_cast<double>(latency.quantile(part).count()));
}

std::string bytes_text(double bytes) { return megabytes(bytes) + " MB"; }

struct DiskUse {
  explicit DiskUse(const std::filesystem::path& data)
      : store(static_cast<double>(bytes_on_disk(data / "db"))),
        log(static_cast<double>(bytes_on_disk(data / "log"))) {}
  double store;
  double log;
};

void read_cold(Table& table, const std::string& what, Caller& caller, const Crowd& crowd,
               int message_limit, uint64_t reads) {
  ClosedLoop loop;
  loop.in_flight = 1;
  loop.warm_up_seconds = 0;
  loop.seconds = 600;
  loop.calls_max = reads;
  const LoadResult result = run_closed(caller, gets(crowd, message_limit, k_stride), loop);
  table.row({what, whole(static_cast<double>(result.calls)), micros_of(result.latency, 0.5),
             micros_of(result.latency, 0.99), micros_of(result.latency, 0.999),
             whole(static_cast<double>(result.latency.max().count()))});
}

}  // namespace

Section ask_cold(const Settings& settings) {
  const test::TempDir dir;
  const Crowd crowd{"cold", settings.quick ? 20'000U : 200'000U};
  const uint64_t reads = settings.quick ? 2'000 : 10'000;
  {
    BenchServer server(settings, dir / "data");
    server.wait_until_serving();
    fill(*connect(ClientKind::light, server.address(), 1), crowd, {.messages = k_messages});
    server.settle();
    server.stop();
  }
  BenchServer server(settings, dir / "data");
  server.wait_until_serving();
  server.settle();
  const auto caller = connect(settings.client, server.address(), 1);
  const OffQueueCpus off(settings);
  Table table({"calls", "count", "p50 us", "p99 us", "p99.9 us", "most us"});
  read_cold(table, "first reads: activation from storage", *caller, crowd, k_messages, reads);
  read_cold(table, "the same again: in memory", *caller, crowd, k_messages, reads);
  const std::string text = absl::StrCat(
      "GetConversation of ", whole(static_cast<double>(reads)),
      " conversations, each once, out of ", whole(static_cast<double>(crowd.count)), " stored (",
      k_messages, " messages of ", k_message_bytes,
      " B each), after a restart, page cache warm, one call in flight.\n\n", table.text());
  server.stop();
  return {"cold", "Cold activation", text};
}

namespace {

/// One start of the server on what is there.
struct Start {
  double port_seconds = 0;    ///< until the port file
  double answer_seconds = 0;  ///< until a conversation was read
  double append_seconds = 0;  ///< until an append was acknowledged
  int64_t resident = 0;       ///< right after the first answers
};

Start measure_start(BenchServer& server, const Crowd& crowd, Clock::time_point since) {
  Start start;
  server.wait_until_serving();
  start.port_seconds = seconds_since(since);
  const auto caller = connect(ClientKind::light, server.address(), 1);
  call_once(*caller, gets(crowd, k_messages), crowd.count / 2);
  start.answer_seconds = seconds_since(since);
  call_once(*caller, appends(crowd), crowd.count / 3);
  start.append_seconds = seconds_since(since);
  start.resident = server.resident_bytes();
  return start;
}

void add_start(Table& table, const std::string& what, const Start& start) {
  table.row({what, decimal(start.port_seconds), decimal(start.answer_seconds),
             decimal(start.append_seconds), megabytes(static_cast<double>(start.resident))});
}

}  // namespace

Section ask_restart(const Settings& settings) {
  const test::TempDir dir;
  const uint64_t count = settings.conversations > 0 ? static_cast<uint64_t>(settings.conversations)
                         : settings.quick           ? 50'000
                                                    : 1'000'000;
  const Crowd crowd{"kept", count};
  Table starts({"start", "port open s", "first read s", "first append s", "RSS MB"});
  auto server = std::make_unique<BenchServer>(settings, dir / "data");
  server->wait_until_serving();
  const auto fill_start = Clock::now();
  fill(*connect(ClientKind::light, server->address(), 1), crowd, {.messages = k_messages});
  const double fill_seconds = seconds_since(fill_start);
  const auto most_while_filling = static_cast<double>(server->resident_bytes_max());
  server->kill();

  auto since = Clock::now();
  server = std::make_unique<BenchServer>(settings, dir / "data");
  add_start(starts, "after kill -9 at full load", measure_start(*server, crowd, since));
  server->settle(120);
  const auto caller = connect(ClientKind::light, server->address(), 1);
  run_closed(*caller, gets(crowd, k_messages, k_stride), {.in_flight = 64, .seconds = 5});
  const auto most_after_reads = static_cast<double>(server->resident_bytes_max());
  const DiskUse disk(dir / "data");
  const auto stop_since = Clock::now();
  server->stop();
  const double stop_seconds = seconds_since(stop_since);

  since = Clock::now();
  server = std::make_unique<BenchServer>(settings, dir / "data");
  add_start(starts, "after an orderly stop", measure_start(*server, crowd, since));
  server->stop();

  Table facts({"what", "value"});
  facts.row({"stored with",
             absl::StrCat(whole(static_cast<double>(count) / fill_seconds), " conversations/s")});
  facts.row({"RSS at most while storing", bytes_text(most_while_filling)});
  facts.row({"RSS at most after kill -9, restart and 5 s of reads", bytes_text(most_after_reads)});
  facts.row({"orderly stop", decimal(stop_seconds) + " s"});
  facts.row({"payload", bytes_text(payload_bytes(count))});
  facts.row({"store on disk", bytes_text(disk.store)});
  facts.row({"store on disk / payload", decimal(disk.store / payload_bytes(count))});
  facts.row({"log on disk, beside", bytes_text(disk.log)});
  return {
      "restart", "Restart after kill -9",
      absl::StrCat(whole(static_cast<double>(count)), " conversations of ", k_messages,
                   " messages of ", k_message_bytes, " B; times from the start of the process.\n\n",
                   starts.text(), "\n", facts.text())};
}

}  // namespace parley::bench
