#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"

#include "bench/questions.hpp"
#include "bench/sides.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::bench {
namespace {

/// What was freed has gone back to the system by then.
constexpr auto k_given_back = std::chrono::seconds(5);

std::string mb(int64_t bytes) { return megabytes(static_cast<double>(bytes)); }

/// Makes conversations live by appending to them, and says what that took.
void grow(const Settings& settings, Table& table, const Crowd& crowd, int messages,
          std::vector<std::string> flags) {
  const test::TempDir dir;
  BenchServer server(settings, dir / "data", std::move(flags));
  server.wait_until_serving();
  const auto caller = connect(ClientKind::light, server.address(), 1);
  call_once(*caller, appends({"first", 1}, {.create_if_missing = true}));
  const int64_t before = server.resident_bytes();
  fill(*caller, crowd, {.messages = 10}, messages / 10);
  server.settle();
  std::this_thread::sleep_for(k_given_back);
  const int64_t after = server.resident_bytes();
  const auto info = server.info();
  const auto count = static_cast<double>(crowd.count);
  table.row({whole(count), std::to_string(messages), mb(before), mb(after), mb(after - before),
             whole(static_cast<double>(after - before) / count),
             whole(static_cast<double>(info.live_bytes()) /
                   static_cast<double>(info.live_conversations())),
             whole(static_cast<double>(info.live_conversations()))});
  server.stop();
}

}  // namespace

Section ask_sessions(const Settings& settings) {
  Table table({"conversations", "messages", "RSS before MB", "RSS after MB", "growth MB",
               "growth B each", "estimate B each", "live"});
  grow(settings, table, {"session", 1'000}, 50, {});
  const std::vector<std::string> roomy = {"--memory-budget", "4GB"};
  grow(settings, table, {"actor", 10'000}, 10, roomy);
  if (!settings.quick) grow(settings, table, {"actor", 100'000}, 10, roomy);
  return {"sessions", "Memory of live conversations",
          absl::StrCat("Messages of 200 B with request ids, stored by appends of 10. The first row "
                       "is 1,000 sessions of the seeds' kind with the default budget; the others "
                       "have room for all to stay live. The growth includes what storage keeps in "
                       "memory for the same data, five seconds later; the estimate is what the "
                       "server itself counts.\n\n",
                       table.text())};
}

Section ask_mixed(const Settings& settings) {
  const test::TempDir dir;
  BenchServer server(settings, dir / "data");
  server.wait_until_serving();
  const auto caller = connect(settings.client, server.address(), settings.connections);
  const Crowd crowd{"mixed", settings.quick ? 2'000U : 10'000U};
  fill(*caller, crowd, {.messages = 20});
  server.settle();
  const NextRequest write = appends(crowd);
  const NextRequest read = gets(crowd, 20, 7'919);
  Table table(
      {"rate/s", "reads p50 ms", "p99", "p99.9", "writes p50 ms", "p99", "p99.9", "server CPU us"});
  const OffQueueCpus off(settings);
  const double seconds = settings.quick ? 3 : 15;
  for (const double rate : {2'000.0, 5'000.0}) {
    const double cpu = server.cpu_seconds();
    const LoadResult result = run_open(
        *caller,
        [&](uint64_t number, Request& request) {
          (number % 2 == 0 ? write : read)(number / 2, request);
        },
        rate, seconds);
    const auto at = [&](Method method, double part) {
      const Latencies& latency = result.by_method[static_cast<size_t>(method)];
      return milliseconds_of(static_cast<double>(latency.quantile(part).count()));
    };
    table.row({whole(rate), at(Method::get, 0.5), at(Method::get, 0.99), at(Method::get, 0.999),
               at(Method::append, 0.5), at(Method::append, 0.99), at(Method::append, 0.999),
               decimal((server.cpu_seconds() - cpu) * 1e6 / static_cast<double>(result.calls), 1)});
  }
  const auto info = server.info();
  const std::string text = absl::StrCat(
      "Half reads of the last 20 messages, half appends of 200 B, over ",
      whole(static_cast<double>(crowd.count)), " active conversations for ", decimal(seconds, 0),
      " s at a fixed rate; latency from when a call was due. Live at the end: ",
      whole(static_cast<double>(info.live_conversations())), " conversations; RSS ",
      megabytes(static_cast<double>(server.resident_bytes())), " MB.\n\n", table.text());
  server.stop();
  return {"mixed", "Reads and writes at a modest rate", text};
}

}  // namespace parley::bench
