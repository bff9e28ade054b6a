#include <atomic>
#include <csignal>
#include <fstream>
#include <iostream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/crash_world.hpp"
#include "tests/support/history_checker.hpp"
#include "tests/support/server_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::test {
namespace {

using std::chrono::milliseconds;
using testing::IsEmpty;

constexpr int k_clients = 4;
#ifdef PARLEY_SANITIZED
constexpr auto k_end_within = std::chrono::seconds(10);
#else
constexpr auto k_end_within = std::chrono::seconds(2);
#endif

/// Clients that append one message after the other until the server is gone.
class Appenders {
 public:
  explicit Appenders(const std::string& address) {
    for (int i = 0; i < k_clients; ++i) {
      histories_[i].conversation = "c" + std::to_string(i);
      threads_.emplace_back([this, i, address] { run(i, address); });
    }
  }
  ~Appenders() { join(); }

  void join() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  [[nodiscard]] int acknowledged() const { return acknowledged_; }
  std::vector<History>& histories() { return histories_; }

 private:
  void run(int index, const std::string& address) {
    Client client(address);
    History& history = histories_[index];
    EXPECT_TRUE(client.call(create(history.conversation)).ok());
    for (int i = 0; !stop_; ++i) {
      AppendCall call{index, now(), k_never, CallOutcome::unknown, {std::to_string(i)}, 0, 0};
      const auto answer = client.call(append(history.conversation, call.keys));
      if (answer.ok()) {
        call.returned = now();
        call.outcome = CallOutcome::ok;
        call.first_sequence = answer->first_sequence();
        call.version = answer->version();
        ++acknowledged_;
      } else {
        EXPECT_EQ(answer.status.code, Code::unavailable) << answer.status;
      }
      history.appends.push_back(call);
      if (!answer.ok()) return;
    }
  }

  std::vector<History> histories_ = std::vector<History>(k_clients);
  std::vector<std::thread> threads_;
  std::atomic<int> acknowledged_ = 0;
  std::atomic<bool> stop_ = false;
};

class FailingSync : public testing::Test {
 protected:
  ServerOptions options() { return {.data_dir = dir_ / "data", .flags = {"--log-segment", "4MB"}}; }
  ServerOptions failing_options(const std::string& folder) {
    ServerOptions made = options();
    made.environment = {"LD_PRELOAD=" + program("../lib/libfail_sync.so").string(),
                        "PARLEY_FAIL_SYNC_TRIGGER=" + trigger(),
                        "PARLEY_FAIL_SYNC_FOLDER=" + folder,
                        // Why: the sanitizer's library wants to be the first one otherwise.
                        "ASAN_OPTIONS=verify_asan_link_order=0"};
    return made;
  }
  std::string trigger() { return (dir_ / "trigger").string(); }
  void pull_trigger() { std::ofstream(trigger()) << "now"; }

  void expect_all_acknowledged(Appenders& appenders) {
    const auto server = start_server(options());
    Client client(server->address());
    for (History& history : appenders.histories()) {
      history.dump = read_dump(client, history.conversation);
      EXPECT_THAT(check_history(history), IsEmpty());
    }
    EXPECT_THAT(storage_problems(client), IsEmpty());
  }

  TempDir dir_;
};

TEST_F(FailingSync, OfTheLogEndsTheServerAndAcknowledgesNothingMore) {
  auto server = start_server(failing_options("/log/"));
  Appenders appenders(server->address());
  while (appenders.acknowledged() < 100 && server->running())
    std::this_thread::sleep_for(milliseconds(1));
  pull_trigger();
  const Instant triggered = now();
  const auto ending = server->wait(k_end_within);
  ASSERT_TRUE(ending) << "the server goes on as if nothing had been";
  std::cout << "ended " << (now() - triggered) / 1'000'000 << " ms after the first failure\n";
  EXPECT_TRUE(ending->exit_code && *ending->exit_code != 0) << describe(*ending);
  EXPECT_THAT(server->output(), testing::HasSubstr("log"));
  appenders.join();
  for (const History& history : appenders.histories()) {
    for (const AppendCall& call : history.appends) {
      EXPECT_FALSE(call.outcome == CallOutcome::ok && call.invoked > triggered)
          << "acknowledged after the failure";
    }
  }
  expect_all_acknowledged(appenders);
}

TEST_F(FailingSync, OfTheStoreLosesNothing) {
  auto server = start_server(failing_options("/db/"));
  Appenders appenders(server->address());
  while (appenders.acknowledged() < 300 && server->running())
    std::this_thread::sleep_for(milliseconds(1));
  pull_trigger();
  const int before = appenders.acknowledged();
  // The log still works: the server may go on, or end; what it must not do is lose something.
  for (int i = 0; i < 500 && appenders.acknowledged() < before + 500 && server->running(); ++i) {
    std::this_thread::sleep_for(milliseconds(2));
  }
  appenders.join();
  server->send(SIGTERM);
  const auto ending = server->wait(std::chrono::seconds(30));
  EXPECT_TRUE(ending) << "it does not stop";
  if (ending) std::cout << "the server: " << describe(*ending) << "\n";
  server->kill();
  expect_all_acknowledged(appenders);
}

}  // namespace
}  // namespace parley::test
