#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/load.hpp"
#include "tests/support/history_checker.hpp"
#include "tests/support/number_from.hpp"
#include "tests/support/server_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::test {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

#ifdef PARLEY_SANITIZED
constexpr int k_kills = 30;
constexpr int k_kill_points = 4;
#else
constexpr int k_kills = 200;
constexpr int k_kill_points = 20;
#endif
constexpr int k_acknowledged_per_kill = 5;  ///< below this a run has proved nothing

/// Small segments and caches: a restart is fast, and segments are sealed, recycled and flushed
/// often.
std::vector<std::string> small_server() {
  return {"--log-segment", "2MB", "--memory-budget", "48MB",
          "--shards",      "16",  "--idle-timeout",  "1"};
}

/// Judges everything on a server that was just started once more.
void check_everything(Load& load, const ServerOptions& options) {
  const auto server = start_server(options);
  auto client = std::make_unique<Client>(server->address());
  load.doorway().open(server->address());
  for (const auto& conversation : load.shared()) {
    const History history = conversation->history(*client);
    EXPECT_THAT(check_history(history), IsEmpty());
    std::cout << history.conversation << ": " << history.appends.size() << " appends, "
              << history.reads.size() << " reads, " << history.changes.size() << " other changes, "
              << history.dump.items.size() << " messages at the end\n";
  }
  for (const auto& own : load.own()) own->check_all();
  EXPECT_THAT(storage_problems(*client), IsEmpty());
  load.doorway().shut();
  client.reset();  // An idle client of gRPC takes seconds to let go.
  EXPECT_EQ(server->stop(), Ending{.exit_code = 0}) << server->output();
}

TEST(Crash, LosesAndDoublesNothingOverKillsAtRandomMoments) {
  const uint64_t seed = number_from("PARLEY_SEED", std::random_device{}());
  const int kills = static_cast<int>(number_from("PARLEY_KILLS", k_kills));
  std::cout << "PARLEY_SEED=" << seed << " PARLEY_KILLS=" << kills << std::endl;
  const TempDir dir;
  const ServerOptions options{.data_dir = dir / "data", .flags = small_server()};
  std::mt19937_64 random(seed);
  Load load(seed);
  auto server = start_server(options);
  Client first(server->address());
  load.doorway().open(server->address());
  load.start(first);
  for (int kill = 0; kill < kills && !testing::Test::HasFatalFailure(); ++kill) {
    // Why: this is when the fault strikes, not something that is waited for.
    std::this_thread::sleep_for(milliseconds(random() % 300));
    load.doorway().shut();
    server->kill();
    server = std::make_unique<ServerProcess>(options);
    ASSERT_TRUE(server->wait_until_serving()) << "after kill " << kill << ":\n" << server->output();
    load.doorway().open(server->address());
    // What a start finds wrong it says once; all that follows from it is told many times.
    ASSERT_THAT(server->output(), Not(HasSubstr("\"critical\""))) << "after kill " << kill;
  }
  Client last(server->address());
  load.finish(last);
  server->kill();
  check_everything(load, options);
  std::cout << load.acknowledged() << " acknowledged changes over " << kills << " kills\n";
  EXPECT_GT(load.acknowledged(), kills * k_acknowledged_per_kill)
      << "too little was done to prove anything";
}

/// strace kills the server at its Nth call of these; each thread counts for itself.
std::vector<std::string> killer(const std::string& calls, int nth) {
  return {"strace", "-f", "-qq", "-e", "trace=" + calls, "-e",
          "inject=" + calls + ":signal=KILL:when=" + std::to_string(nth), "-o", "/dev/null",
          // Why: a server must not outlive strace either.
          "setpriv", "--pdeathsig", "KILL"};
}

bool can_trace() {
  return std::system("strace -f -qq -e trace=none true >/dev/null 2>&1") == 0 &&
         std::system("setpriv --pdeathsig KILL true >/dev/null 2>&1") == 0;
}

/// Appends one after the other until the server is gone, or `most` were answered.
void append_until_death(ServerProcess& server, History& history, int most) {
  if (!server.wait_until_serving()) return;
  Client client(server.address());
  client.call(create(history.conversation));
  for (int i = 0; i < most; ++i) {
    AppendCall call{1, now(), k_never, CallOutcome::unknown, {}, 0, 0};
    call.keys = {"key " + std::to_string(history.appends.size())};
    const auto answer = client.call(append(history.conversation, call.keys));
    if (answer.ok()) {
      call.returned = now();
      call.outcome = CallOutcome::ok;
      call.first_sequence = answer->first_sequence();
      call.version = answer->version();
    }
    history.appends.push_back(call);
    if (!answer.ok()) return;
  }
}

TEST(Crash, LosesNothingWhenKilledAtACallOfTheFileSystem) {
  if (!can_trace()) GTEST_SKIP() << "needs strace that may trace, and setpriv";
  const TempDir dir;
  ServerOptions options{.data_dir = dir / "data", .flags = small_server()};
  const std::vector<std::string> calls = {
      "pwrite64,pwritev,pwritev2,fdatasync,fsync,sync_file_range",
      "openat,rename,renameat,renameat2,ftruncate,fallocate,unlink,mkdir,link"};
  History history;
  history.conversation = "c";
  int deaths = 0;
  for (int point = 0; point < k_kill_points; ++point) {
    const int nth = point < 8 ? 1 + point / 2 : 1 + point * point / 8;
    options.wrapper = killer(calls[point % 2], nth);
    ServerProcess doomed(options);
    append_until_death(doomed, history, 150);
    const auto ending = doomed.wait(milliseconds(0));
    deaths += ending && ending->signal == SIGKILL ? 1 : 0;
    doomed.kill();
    options.wrapper.clear();
    const auto server = start_server(options);
    Client client(server->address());
    const auto answer = client.call(get("c"));
    if (answer.status.code == Code::not_found) {
      for (const AppendCall& call : history.appends) ASSERT_NE(call.outcome, CallOutcome::ok);
      continue;
    }
    ASSERT_TRUE(answer.ok()) << answer.status;
    history.dump = read_dump(client, "c");
    ASSERT_THAT(check_history(history), IsEmpty())
        << "killed at call " << nth << " of " << calls[point % 2];
  }
  std::cout << deaths << " of " << k_kill_points << " points were met, "
            << history.dump.items.size() << " messages at the end\n";
  EXPECT_GT(deaths, k_kill_points / 3) << "the points do not meet the calls that the server makes";
}

TEST(Crash, RefusesASecondServerOnOneDirectory) {
  const TempDir dir;
  const ServerOptions options{.data_dir = dir / "data", .flags = small_server()};
  const auto first = start_server(options);
  Client client(first->address());
  ASSERT_TRUE(client.call(create("c")).ok());
  // Why a link: its port file and its output must not be the first one's.
  std::filesystem::create_symlink(dir / "data", dir / "same");
  ServerProcess second({.data_dir = dir / "same", .flags = small_server()});
  const auto ending = second.wait(std::chrono::seconds(20));
  ASSERT_TRUE(ending) << "the second server runs";
  EXPECT_TRUE(ending->exit_code && *ending->exit_code != 0) << describe(*ending);
  EXPECT_THAT(second.output(), testing::ContainsRegex("in use|lock|another|already"));
  ASSERT_TRUE(client.call(append("c", {"the first goes on"})).ok());
  EXPECT_EQ(bodies(read_all(client, "c")), std::vector<std::string>{"the first goes on"});
}

}  // namespace
}  // namespace parley::test
