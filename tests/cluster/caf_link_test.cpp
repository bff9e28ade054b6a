#include "cluster/caf_link.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <iostream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <gtest/gtest.h>

#include "tests/support/free_port.hpp"

namespace parley {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int k_letters = 400;

SteadyTime steady() {
  return {
      std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now().time_since_epoch())
          .count()};
}

/// Answers each letter with whether it came after the one before it.
class InOrder final : public PeerServer {
 public:
  void serve(const NodeName&, PeerRequest request, Reply reply) override {
    if (request.method != "Letter") return reply({0, {}, {}, request.body, false});
    const std::string number = request.body.substr(0, request.body.find(' '));
    const bool next = std::stoi(number) == ++last_;
    reply({0, {}, {}, next ? "in order" : "out of order", false});
  }

 private:
  int last_ = 0;
};

/// One node, in its own process: two may not be in the same.
struct LinkedNode {
  LinkedNode(const char* name, const std::vector<PeerAddress>& nodes) {
    configure_links(config, std::nullopt);
    system = std::make_unique<caf::actor_system>(config);
    CafTransportOptions options;
    options.self = {name};
    options.nodes = nodes;
    options.release = "test";
    transport = std::make_unique<CafTransport>(
        *system, std::move(options), server,
        // Why a thread each: what is given to it has no order, and is not to need any.
        [this](std::function<void()> job) {
          ++jobs;
          std::thread([this, job = std::move(job)] {
            job();
            --jobs;
          }).detach();
        },
        steady);
  }
  ~LinkedNode() {
    transport->stop();
    while (jobs > 0) std::this_thread::sleep_for(milliseconds(1));
  }

  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
  InOrder server;
  std::atomic<int> jobs = 0;
  std::unique_ptr<CafTransport> transport;
};

/// Something that is done in a process of its own, which ends with this one. Why: two nodes may not
/// be in the same, and CAF 0.17 forgets a part of itself, now and then, when it is stopped.
class OwnProcess {
 public:
  /// Before there is any thread.
  explicit OwnProcess(const std::function<int()>& work) : process_(fork()) {
    if (process_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(work());
  }
  ~OwnProcess() {
    if (process_ > 0 && !ended_) kill(process_, SIGKILL);
    static_cast<void>(wait());
  }
  OwnProcess(const OwnProcess&) = delete;
  OwnProcess& operator=(const OwnProcess&) = delete;

  /// What it returned; -1 where it was not begun, or came to another end.
  int wait() {
    if (process_ > 0 && !std::exchange(ended_, true)) waitpid(process_, &status_, 0);
    return process_ > 0 && WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
  }

 private:
  const pid_t process_;
  bool ended_ = false;
  int status_ = 0;
};

class Counting final : public PeerWaiter {
 public:
  void answered(PeerAnswer answer) override { ++(answer.body == "in order" ? good : bad); }
  void failed(PeerFailure) override { ++bad; }
  std::atomic<int> good = 0;
  std::atomic<int> bad = 0;
};

constexpr int k_all_in_order = 42;

int answer_for_ever(const std::vector<PeerAddress>& nodes) {
  LinkedNode node("b", nodes);
  if (!node.transport->start().ok()) return 1;
  node.transport->serve();
  while (true) pause();
}

/// Never returns: what is not answered in time goes with its process.
int ask_in_order(const std::vector<PeerAddress>& nodes) {
  Counting told;
  LinkedNode node("a", nodes);
  if (!node.transport->start().ok()) return 1;
  node.transport->serve();
  const auto give_up = steady_clock::now() + milliseconds(20'000);
  while (node.transport->session({"b"}) == 0 && steady_clock::now() < give_up) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  for (int i = 1; i <= k_letters; ++i) {
    const size_t bytes = i % 3 == 0 ? 300'000 : 10;
    std::string body = std::to_string(i) + " " + std::string(bytes, 'x');
    node.transport->ask({"b"}, {"Letter", {}, std::move(body), 5'000'000, true}, &told);
    // Not more under way than a link takes.
    while (i - told.good - told.bad > 8 && steady_clock::now() < give_up) {
      std::this_thread::yield();
    }
  }
  while (told.good + told.bad < k_letters && steady_clock::now() < give_up) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  std::cerr << told.good << " letters in order, " << told.bad << " not\n";
  _exit(told.good == k_letters ? k_all_in_order : 2);
}

/// Found by measuring moves: a large batch went in parts by way of a mailbox, so that small ones
/// behind it came first, and rows were sent again after a while.
TEST(CafTransport, LettersComeInTheirOrderHoweverLarge) {
  const std::vector<PeerAddress> nodes = {{{"a"}, "127.0.0.1", test::free_port()},
                                          {{"b"}, "127.0.0.1", test::free_port()}};
  const OwnProcess other([&] { return answer_for_ever(nodes); });
  OwnProcess asking([&] { return ask_in_order(nodes); });
  EXPECT_EQ(asking.wait(), k_all_in_order);
}

}  // namespace
}  // namespace parley
