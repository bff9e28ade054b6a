#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <iostream>
#include <random>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/cluster_load.hpp"
#include "tests/storage/postgres_instance.hpp"
#include "tests/support/cluster_nodes.hpp"
#include "tests/support/number_from.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/temp_dir.hpp"

/// Three real nodes that share a database as their journal.
namespace parley::test {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int k_nodes = 3;
#ifdef PARLEY_SANITIZED
constexpr int k_rounds = 2;
#else
constexpr int k_rounds = 5;
#endif

class SharedCluster : public testing::Test {
 protected:
  SharedCluster() { database_.empty(); }
  Client& client(int node) { return nodes_->client(node); }
  void start_all() {
    nodes_ = std::make_unique<ClusterNodes>(
        dir_.path(), k_nodes,
        std::vector<std::string>{"--shards", "24", "--lease-ms", "1500", "--drain-timeout", "10",
                                 "--accept-async-loss"},
        std::vector<std::string>{database_.url()});
  }
  /// Each node goes in turn and comes back, while calls come by way of another.
  void expect_no_call_fails(const std::function<void(int node)>& end) {
    start_all();
    std::vector<std::string> threads;
    for (int i = 0; i < 24; ++i) {
      threads.push_back("talk-" + std::to_string(i));
      ASSERT_TRUE(client(0).call(create(threads.back())).ok());
    }
    std::vector<int> appended(threads.size());
    for (int gone = 0; gone < k_nodes; ++gone) {
      std::atomic<bool> over{false};
      Client other(nodes_->node((gone + 1) % k_nodes).address());
      std::thread writer([&] {
        for (size_t i = 0; !over; i = (i + 1) % threads.size()) {
          const auto answer = other.call(with_request_id(append(threads[i], {"more"})));
          EXPECT_TRUE(answer.ok()) << answer.status;
          ++appended[i];
          EXPECT_EQ(must_get(other, threads[i]).version(), 1 + appended[i]);
        }
      });
      std::this_thread::sleep_for(milliseconds(200));
      end(gone);
      std::this_thread::sleep_for(milliseconds(200));
      nodes_->start(gone);
      nodes_->wait_until_linked();
      over = true;
      writer.join();
    }
    for (size_t i = 0; i < threads.size(); ++i) {
      EXPECT_EQ(read_all(client(2), threads[i]).size(), static_cast<size_t>(appended[i]));
    }
  }

  PostgresInstance& database_ = PostgresInstance::of_this_process();
  TempDir dir_;
  std::unique_ptr<ClusterNodes> nodes_;
};

TEST_F(SharedCluster, AnswersForEveryConversationByAnyNode) {
  start_all();
  std::set<int> homes;
  for (int i = 0; i < 30; ++i) {
    const std::string thread = "c" + std::to_string(i);
    ASSERT_TRUE(client(i % k_nodes).call(create(thread, "ann")).ok());
    ASSERT_TRUE(client((i + 1) % k_nodes).call(append(thread, {"one"})).ok());
    homes.insert(nodes_->home_of(thread));
    for (int node = 0; node < k_nodes; ++node) {
      EXPECT_THAT(bodies(read_all(client(node), thread)), ElementsAre("one"));
    }
  }
  EXPECT_EQ(homes.size(), size_t{k_nodes});
  pb::ListConversationsRequest list;
  list.set_page_size(1000);
  for (int node = 0; node < k_nodes; ++node) {
    const auto page = client(node).call(list);
    ASSERT_TRUE(page.ok()) << page.status;
    EXPECT_EQ(page->conversations_size(), 30);
    EXPECT_EQ(page->unreachable_shards_size(), 0);
  }
  pb::ForkConversationRequest fork;
  fork.set_thread_id("c3");
  fork.set_new_thread_id("c3-fork");
  for (int i = 0; i < 2; ++i) {
    const auto forked = client(i).call(fork);
    EXPECT_EQ(forked.ok(), i == 0) << forked.status;
  }
  EXPECT_THAT(bodies(read_all(client(2), "c3-fork")), ElementsAre("one"));
  EXPECT_TRUE(client(0).call(erase("c3")).ok());
  EXPECT_THAT(bodies(read_all(client(1), "c3-fork")), ElementsAre("one"));
  EXPECT_EQ(database_.run("SELECT content FROM parley.messages WHERE thread_id = 'c4'"), "one\n");
  EXPECT_EQ(database_.run("SELECT count(*) FROM parley.nodes"), "3\n");
}

TEST_F(SharedCluster, SaysHowLongLeasesLast) {
  start_all();
  const auto cluster = client(0).call(pb::GetClusterRequest{});
  ASSERT_TRUE(cluster.ok()) << cluster.status;
  ASSERT_EQ(cluster->nodes_size(), k_nodes);
  for (const auto& node : cluster->nodes()) {
    EXPECT_TRUE(node.reachable()) << node.name();
    EXPECT_GT(node.lease_left_ms(), 0) << node.name();
    EXPECT_LE(node.lease_left_ms(), 1'500) << node.name();
  }
  EXPECT_THAT(nodes_->parley(0, "cluster status"), HasSubstr(", lease for "));
}

TEST_F(SharedCluster, SaysWhatIsTheDatabasesOwnBusiness) {
  start_all();
  EXPECT_EQ(client(0).call(pb::CreateBackupRequest{}).status.reason, "SHARED_JOURNAL");
  EXPECT_EQ(client(0).call(pb::ListBackupsRequest{}).status.reason, "SHARED_JOURNAL");
  pb::MoveShardsRequest move;
  move.add_moves()->set_to("parley-1");
  EXPECT_EQ(client(0).call(move).status.reason, "SHARDS_PLACE_THEMSELVES");
}

/// Drained, so that nothing of it is missed.
TEST_F(SharedCluster, NoCallFailsWhileNodesAreUpdatedOneByOne) {
  expect_no_call_fails([&](int node) { nodes_->stop(node); });
}

/// Calls with a request id, and reads, wait for whoever takes over.
TEST_F(SharedCluster, NoCallFailsWhileNodesAreKilledOneByOne) {
  expect_no_call_fails([&](int node) { nodes_->node(node).kill(); });
}

TEST_F(SharedCluster, ImportsGoOnWhileNodesComeAndGo) {
  start_all();
  constexpr int k_conversations = 4'000;
  const std::string file = dir_.path() / "import.jsonl";
  std::ofstream lines(file);
  for (int i = 0; i < k_conversations; ++i) {
    lines << R"({"thread_id":"i)" << i << R"(","messages":[{"role":"user","content":"one"},)"
          << R"({"role":"assistant","content":"two"}]})" << '\n';
  }
  lines.close();
  std::string said;
  std::thread import([&] { said = nodes_->parley(0, "import " + file); });
  nodes_->stop(1);
  nodes_->node(2).kill();
  nodes_->start(1);
  nodes_->start(2);
  import.join();
  EXPECT_THAT(said, HasSubstr("4,000 created"));
  EXPECT_THAT(said, HasSubstr(" 0 refused"));
  EXPECT_EQ(database_.run("SELECT count(*), count(DISTINCT history) FROM parley.messages"),
            "8000|4000\n");
}

TEST_F(SharedCluster, LosesAndDoublesNothingOverKills) {
  start_all();
  const uint64_t seed = number_from("PARLEY_SEED", std::random_device{}());
  std::cout << "PARLEY_SEED=" << seed << std::endl;
  std::mt19937_64 random(seed);
  ClusterLoad load(*nodes_, random);
  for (int round = 0; round < k_rounds; ++round) {
    std::this_thread::sleep_for(milliseconds(200 + random() % 600));
    const int killed = static_cast<int>(random() % k_nodes);
    load.goes(killed);
    nodes_->node(killed).kill();
    if (random() % 2 == 0) {
      // Long enough for the others to take over.
      nodes_->wait_until_settled({(killed + 1) % k_nodes, (killed + 2) % k_nodes});
    }
    nodes_->start(killed);
    load.came(killed);
  }
  nodes_->wait_until_linked();
  load.finish();
  load.check();
}

/// Stopped for longer than its lease and woken again: it says nothing that is not true any more.
TEST_F(SharedCluster, AZombieAnswersNothingStale) {
  start_all();
  for (int round = 0; round < k_rounds; ++round) {
    const int zombie = round % k_nodes;
    const int other = (zombie + 1) % k_nodes;
    const std::string thread = nodes_->created_on(zombie);
    ASSERT_TRUE(client(zombie).call(append(thread, {"before"})).ok());
    nodes_->node(zombie).send(SIGSTOP);
    nodes_->wait_until_settled({other, (zombie + 2) % k_nodes});
    const auto appended = client(other).call(append(thread, {"after"}));
    ASSERT_TRUE(appended.ok()) << appended.status;
    nodes_->node(zombie).send(SIGCONT);
    for (int i = 0; i < 200; ++i) {
      const auto got = client(zombie).call(get(thread));
      if (got.ok()) {
        EXPECT_EQ(got->conversation().version(), 3);
      } else {
        EXPECT_EQ(got.status.code, Code::unavailable) << got.status;
      }
    }
    nodes_->wait_until_linked();
    EXPECT_THAT(bodies(read_all(client(zombie), thread)), ElementsAre("before", "after"));
  }
}

TEST_F(SharedCluster, LosesAndDoublesNothingWhileTheDatabaseDiesAndStandsStill) {
  start_all();
  std::mt19937_64 random(std::random_device{}());
  ClusterLoad load(*nodes_, random);
  for (int round = 0; round < k_rounds; ++round) {
    std::this_thread::sleep_for(milliseconds(300 + random() % 500));
    if (round % 2 == 0) {
      database_.kill();
      std::this_thread::sleep_for(milliseconds(random() % 300));
      database_.start();
    } else {
      database_.pause();
      std::this_thread::sleep_for(milliseconds(500 + random() % 3'000));
      database_.go_on();
    }
  }
  nodes_->wait_until_linked();
  load.finish();
  load.check();
}

}  // namespace
}  // namespace parley::test
