#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/ids.hpp"
#include "tests/integration/cluster_load.hpp"
#include "tests/storage/postgres_instance.hpp"
#include "tests/support/cluster_nodes.hpp"
#include "tests/support/number_from.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/temp_dir.hpp"

/// Three real nodes that share two databases, each with half of the shards.
namespace parley::test {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr int k_nodes = 3;
constexpr int k_shards = 24;
#ifdef PARLEY_SANITIZED
constexpr int k_rounds = 2;
#else
constexpr int k_rounds = 5;
#endif

class SharedDatabases : public testing::Test {
 protected:
  SharedDatabases() {
    first_.empty();
    second_.empty();
    nodes_ = std::make_unique<ClusterNodes>(
        dir_.path(), k_nodes,
        std::vector<std::string>{"--shards", std::to_string(k_shards), "--lease-ms", "1500",
                                 "--drain-timeout", "10", "--accept-async-loss"},
        std::vector<std::string>{first_.url(), second_.url()});
  }
  ~SharedDatabases() override {
    second_.go_on();
    if (killed_) second_.start();
  }
  Client& client(int node) { return nodes_->client(node); }
  void kill_second() {
    second_.kill();
    killed_ = true;
  }
  void restart_second() {
    second_.start();
    killed_ = false;
  }

  static int shard_of(const std::string& thread) {
    return parley::shard_of(key_hash({"default", thread}), k_shards).value;
  }
  /// Fresh names of conversations whose shard is in the first, or in the second.
  static std::vector<std::string> names_in(int database, int count) {
    std::vector<std::string> names;
    while (static_cast<int>(names.size()) < count) {
      std::string name = new_thread_id("t");
      if (shard_of(name) / (k_shards / 2) == database) names.push_back(std::move(name));
    }
    return names;
  }
  std::vector<std::string> created_in(int database, int count) {
    auto names = names_in(database, count);
    for (const std::string& name : names) {
      EXPECT_TRUE(client(0).call(create(name, "ann")).ok());
      EXPECT_TRUE(client(0).call(append(name, {"one"})).ok());
    }
    return names;
  }
  struct Listed {
    std::set<std::string> threads;
    std::set<int> unreachable;
  };
  Listed listed(int node, int page_size, const std::string& user = {}) {
    Listed listed;
    pb::ListConversationsRequest request;
    request.set_page_size(page_size);
    request.set_user_id(user);
    do {
      const auto page = client(node).call(request);
      EXPECT_TRUE(page.ok()) << page.status;
      for (const auto& shown : page->conversations()) {
        EXPECT_TRUE(listed.threads.insert(shown.thread_id()).second) << "shown twice";
      }
      listed.unreachable.insert(page->unreachable_shards().begin(),
                                page->unreachable_shards().end());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return listed;
  }
  /// Calls to what is in the first database, as if nothing were.
  void expect_first_goes_on(const std::vector<std::string>& here, int node,
                            milliseconds most = milliseconds(2'500)) {
    for (const std::string& thread : here) {
      const auto begun = std::chrono::steady_clock::now();
      const auto answer = client(node).call(with_request_id(append(thread, {"more"})));
      EXPECT_TRUE(answer.ok()) << answer.status;
      EXPECT_TRUE(client(node).call(get(thread)).ok());
      EXPECT_LT(std::chrono::steady_clock::now() - begun, most);
    }
  }

  PostgresInstance& first_ = PostgresInstance::of_this_process();
  PostgresInstance& second_ = PostgresInstance::second_of_this_process();
  bool killed_ = false;
  TempDir dir_;
  std::unique_ptr<ClusterNodes> nodes_;
};

TEST_F(SharedDatabases, AreOneToEveryCaller) {
  std::set<std::string> all;
  for (int i = 0; i < 30; ++i) {
    const std::string thread = "c" + std::to_string(i);
    ASSERT_TRUE(client(i % k_nodes).call(create(thread, i % 2 == 0 ? "ann" : "bob")).ok());
    ASSERT_TRUE(client((i + 1) % k_nodes).call(append(thread, {"one"})).ok());
    all.insert(thread);
  }
  for (int node = 0; node < k_nodes; ++node) {
    for (const int page_size : {4, 1000}) {
      const Listed whole = listed(node, page_size);
      EXPECT_EQ(whole.threads, all);
      EXPECT_THAT(whole.unreachable, SizeIs(0));
    }
    EXPECT_THAT(listed(node, 3, "ann").threads, SizeIs(15));
    EXPECT_THAT(bodies(read_all(client(node), "c7")), ElementsAre("one"));
  }
  int stored = 0;
  for (const PostgresInstance* database : {&first_, &second_}) {
    EXPECT_EQ(database->run("SELECT count(*) FROM parley.nodes"), "3\n");
    EXPECT_EQ(database->run("SELECT count(*), count(DISTINCT owner) FROM parley.shards"), "12|3\n");
    stored += std::stoi(database->run("SELECT count(*) FROM parley.conversations"));
  }
  EXPECT_EQ(stored, 30);
  EXPECT_THAT(nodes_->parley(1, "export --output " + (dir_ / "all.jsonl").string()),
              HasSubstr("30"));
}

TEST_F(SharedDatabases, ForksReachFromOneToTheOther) {
  for (const int parent_in : {0, 1}) {
    const std::string parent = created_in(parent_in, 1).front();
    const std::string child = names_in(1 - parent_in, 1).front();
    const auto forked = client(0).call(with_request_id(fork(parent, child)));
    ASSERT_TRUE(forked.ok()) << forked.status;
    ASSERT_TRUE(client(1).call(append(child, {"two"})).ok());
    EXPECT_THAT(bodies(read_all(client(2), child)), ElementsAre("one", "two"));
    // What it shares is kept for it as long as it is there.
    ASSERT_TRUE(client(1).call(erase(parent)).ok());
    EXPECT_THAT(bodies(read_all(client(0), child)), ElementsAre("one", "two"));
    const PostgresInstance& database = parent_in == 0 ? first_ : second_;
    const std::string kept =
        "SELECT count(*) FROM parley.messages WHERE thread_id = '" + parent + "'";
    EXPECT_EQ(database.run(kept), "1\n");
    ASSERT_TRUE(client(2).call(erase(child)).ok());
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (database.run(kept) != "0\n" && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(milliseconds(20));
    }
    EXPECT_EQ(database.run(kept), "0\n") << "nobody needs it any more";
  }
  // One without a name of its own lies with its parent.
  const std::string parent = created_in(1, 1).front();
  const auto forked = client(0).call(fork(parent, ""));
  ASSERT_TRUE(forked.ok()) << forked.status;
  EXPECT_EQ(shard_of(forked->conversation().thread_id()), shard_of(parent));
}

TEST_F(SharedDatabases, OneThatDiesCostsItsOwnShards) {
  const auto here = created_in(0, 6);
  const auto there = created_in(1, 6);
  kill_second();
  for (int node = 0; node < k_nodes; ++node) expect_first_goes_on(here, node);
  const auto lost =
      client(1).call(append(there.front(), {"lost?"}), {.timeout = std::chrono::seconds(20)});
  EXPECT_EQ(lost.status.code, Code::unavailable) << lost.status;
  for (int node = 0; node < k_nodes; ++node) {
    const Listed rest = listed(node, 4);
    EXPECT_EQ(rest.threads, std::set<std::string>(here.begin(), here.end()));
    EXPECT_THAT(rest.unreachable, SizeIs(k_shards / 2));
    EXPECT_EQ(*rest.unreachable.begin(), k_shards / 2);
  }
  const auto exported = client(0).stream(pb::ExportConversationsRequest{});
  for (pb::ExportConversationsResponse part; exported->read(part);) {
  }
  EXPECT_EQ(exported->finish().code, Code::unavailable);
  // Nodes come and go as ever, for what is there.
  nodes_->node(2).kill();
  expect_first_goes_on(here, 0, milliseconds(10'000));
  nodes_->start(2);
  expect_first_goes_on(here, 2, milliseconds(10'000));
  restart_second();
  nodes_->wait_until_linked();
  for (const std::string& thread : there) {
    const auto request = with_request_id(append(thread, {"two"}));
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    auto answer = client(2).call(request);
    while (!answer.ok() && std::chrono::steady_clock::now() < until) {
      EXPECT_EQ(answer.status.code, Code::unavailable) << answer.status;
      answer = client(2).call(request);
    }
    EXPECT_TRUE(answer.ok()) << answer.status;
  }
  EXPECT_THAT(listed(1, 100).threads, SizeIs(12));
}

TEST_F(SharedDatabases, OneThatStandsStillCostsItsOwnShards) {
  const auto here = created_in(0, 6);
  const auto there = created_in(1, 6);
  second_.pause();
  // Until its leases are over.
  std::this_thread::sleep_for(milliseconds(2'500));
  std::atomic<bool> over{false};
  std::vector<std::thread> waiting;
  for (const std::string& thread : there) {
    waiting.emplace_back([&, &server = nodes_->node(1)] {
      Client own(server.address());
      while (!over) {
        EXPECT_NE(own.call(get(thread), {.timeout = std::chrono::seconds(2)}).status.code,
                  Code::ok);
      }
    });
  }
  for (int node = 0; node < k_nodes; ++node) expect_first_goes_on(here, node);
  // Also what is not in memory yet.
  for (const std::string& thread : created_in(0, 3)) {
    EXPECT_THAT(bodies(read_all(client(1), thread)), ElementsAre("one"));
  }
  EXPECT_THAT(listed(1, 100).unreachable, SizeIs(k_shards / 2));
  over = true;
  for (std::thread& thread : waiting) thread.join();
  second_.go_on();
  nodes_->wait_until_linked();
  for (const std::string& thread : there) {
    EXPECT_THAT(bodies(read_all(client(0), thread)), ElementsAre("one"));
  }
}

TEST_F(SharedDatabases, LoseAndDoubleNothingWhileOneDiesAndNodesDo) {
  const uint64_t seed = number_from("PARLEY_SEED", std::random_device{}());
  std::cout << "PARLEY_SEED=" << seed << std::endl;
  std::mt19937_64 random(seed);
  ClusterLoad load(*nodes_, random);
  for (int round = 0; round < k_rounds; ++round) {
    std::this_thread::sleep_for(milliseconds(300 + random() % 500));
    const int killed = static_cast<int>(random() % k_nodes);
    if (round % 2 == 0) {
      kill_second();
    } else {
      second_.pause();
    }
    load.goes(killed);
    nodes_->node(killed).kill();
    std::this_thread::sleep_for(milliseconds(random() % 3'000));
    if (round % 2 == 0) {
      nodes_->start(killed);
      restart_second();
    } else {
      second_.go_on();
      nodes_->start(killed);
    }
    load.came(killed);
  }
  nodes_->wait_until_linked();
  load.finish();
  load.check();
}

TEST_F(SharedDatabases, AreRefusedInAnotherOrder) {
  nodes_->stop_all();
  ServerOptions turned = nodes_->options(0);
  const auto at = [&](const std::string& url) {
    return std::find(turned.flags.begin(), turned.flags.end(), url);
  };
  std::iter_swap(at(first_.url()), at(second_.url()));
  ServerProcess server(turned);
  EXPECT_FALSE(server.wait_until_serving());
  EXPECT_EQ(server.wait(std::chrono::seconds(10)), Ending{.exit_code = 1});
  EXPECT_THAT(server.output(), AllOf(HasSubstr("--journal"), HasSubstr("give them in that order")));
}

}  // namespace
}  // namespace parley::test
