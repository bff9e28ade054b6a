#include <chrono>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/cluster_load.hpp"
#include "tests/support/cluster_nodes.hpp"
#include "tests/support/number_from.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/temp_dir.hpp"

/// Shards that pass from node to node while clients go on.
namespace parley::test {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int k_nodes = 3;
constexpr int k_shards = 12;
#ifdef PARLEY_SANITIZED
constexpr int k_rounds = 2;
constexpr auto k_patience = std::chrono::seconds(120);
#else
constexpr int k_rounds = 6;
constexpr auto k_patience = std::chrono::seconds(30);
#endif

class ClusterMove : public testing::Test {
 protected:
  using Places = ClusterNodes::Places;

  Client& client(int node) { return nodes_.client(node); }

  static pb::MoveShardsRequest request_of(const Places& wanted) {
    pb::MoveShardsRequest request;
    for (const auto& [shard, node] : wanted) {
      auto& move = *request.add_moves();
      move.set_shard(shard);
      move.set_to(node);
    }
    return request;
  }
  /// Asks until all of it is so.
  void move(const Places& wanted) {
    const auto until = std::chrono::steady_clock::now() + k_patience;
    for (int look = 0; std::chrono::steady_clock::now() < until; ++look) {
      if (look % 50 == 0) {
        const auto asked = client(0).call(request_of(wanted));
        ASSERT_TRUE(asked.ok()) << asked.status;
      }
      const Places now = nodes_.settled(1);
      const bool there = std::all_of(wanted.begin(), wanted.end(), [&](const auto& wish) {
        const auto found = now.find(wish.first);
        return found != now.end() && found->second == wish.second;
      });
      if (there) return;
      std::this_thread::sleep_for(milliseconds(20));
    }
    FAIL() << "the shards are not where they are to be:\n"
           << client(1).call(pb::GetClusterRequest{})->DebugString() << nodes_.node(0).output()
           << nodes_.node(1).output() << nodes_.node(2).output();
  }
  /// Each shard is to go to the next node.
  Places all_to_the_next() {
    Places wanted = nodes_.settled(0);
    EXPECT_EQ(wanted.size(), size_t{k_shards});
    for (auto& [shard, node] : wanted) {
      for (int i = 0; i < k_nodes; ++i) {
        if (node != ClusterNodes::name(i)) continue;
        node = ClusterNodes::name((i + 1) % k_nodes);
        break;
      }
    }
    return wanted;
  }
  std::string parley(const std::string& arguments) { return nodes_.parley(0, arguments); }
  void expect_sound() {
    for (int node = 0; node < k_nodes; ++node) {
      EXPECT_THAT(storage_problems(client(node)), IsEmpty()) << ClusterNodes::name(node);
    }
  }

  TempDir dir_;
  ClusterNodes nodes_{dir_.path(), k_nodes, {"--shards", std::to_string(k_shards)}};
};

TEST_F(ClusterMove, NoCallFailsWhileEveryShardGoesRound) {
  constexpr int k_threads = 24;
  std::vector<std::string> threads;
  for (int i = 0; i < k_threads; ++i) {
    threads.push_back("talk-" + std::to_string(i));
    ASSERT_TRUE(client(i % k_nodes).call(create(threads.back())).ok());
  }
  std::atomic<bool> stopping{false};
  std::vector<std::vector<int>> appended(k_nodes, std::vector<int>(k_threads));
  std::vector<std::thread> writers;
  for (int node = 0; node < k_nodes; ++node) {
    writers.emplace_back([&, node] {
      for (size_t i = 0; !stopping; i = (i + 1) % k_threads) {
        int& count = appended[static_cast<size_t>(node)][i];
        const auto answer = client(node).call(
            append(threads[i], {std::to_string(node) + "/" + std::to_string(count)}));
        EXPECT_TRUE(answer.ok()) << answer.status;
        count += answer.ok() ? 1 : 0;
        const auto read = client((node + 1) % k_nodes).call(get(threads[i], 1000));
        EXPECT_TRUE(read.ok()) << read.status;
        EXPECT_GE(read->conversation().message_count(), answer->last_sequence());
      }
    });
  }
  int lists = 0;
  writers.emplace_back([&] {
    for (; !stopping; ++lists) {
      const auto page = client(lists % k_nodes).call(pb::ListConversationsRequest{});
      EXPECT_TRUE(page.ok()) << page.status;
      std::set<std::string> listed;
      for (const auto& shown : page->conversations()) listed.insert(shown.thread_id());
      EXPECT_EQ(listed.size(), static_cast<size_t>(page->conversations_size())) << "shown twice";
      EXPECT_TRUE(page->unreachable_shards().empty());
      EXPECT_EQ(listed.size(), threads.size());
    }
  });
  for (int round = 0; round < k_rounds && !HasFatalFailure(); ++round) move(all_to_the_next());
  stopping = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_GT(lists, 0);
  for (int i = 0; i < k_threads; ++i) {
    std::map<char, int> next;
    const auto all = bodies(read_all(client(i % k_nodes), threads[static_cast<size_t>(i)]));
    for (const std::string& body : all) {
      const int number = next[body[0]]++;
      EXPECT_EQ(body.substr(2), std::to_string(number)) << threads[static_cast<size_t>(i)];
    }
    for (int node = 0; node < k_nodes; ++node) {
      EXPECT_EQ(next[static_cast<char>('0' + node)],
                appended[static_cast<size_t>(node)][static_cast<size_t>(i)]);
    }
  }
  expect_sound();
  nodes_.restart();
  EXPECT_EQ(nodes_.settled(2).size(), size_t{k_shards}) << "what is recorded says the same";
}

TEST_F(ClusterMove, AWatchGoesOnWithItsConversation) {
  const std::string thread = nodes_.created_on(1);
  const auto located = client(0).call([&] {
    pb::LocateConversationRequest request;
    request.set_thread_id(thread);
    return request;
  }());
  ASSERT_TRUE(located.ok());
  std::vector<std::unique_ptr<Stream<pb::WatchConversationResponse>>> streams;
  for (int node = 0; node < k_nodes; ++node) {
    streams.push_back(client(node).stream(watch(thread), {.timeout = std::chrono::seconds(120)}));
    ASSERT_THAT(next_events(*streams.back(), 1), ElementsAre("1 created"));
  }
  int version = 1;
  for (const int to : {2, 0, 1}) {
    const std::string before = "before " + std::to_string(to);
    const std::string after = "after " + std::to_string(to);
    ASSERT_TRUE(client(0).call(append(thread, {before})).ok());
    move({{located->shard(), ClusterNodes::name(to)}});
    EXPECT_EQ(nodes_.home_of(thread), to);
    ASSERT_TRUE(client(0).call(append(thread, {after})).ok());
    const std::string first = std::to_string(version + 1) + " messages_appended " + before;
    const std::string second = std::to_string(version + 2) + " messages_appended " + after;
    for (const auto& stream : streams) {
      EXPECT_THAT(next_events(*stream, 2), ElementsAre(first, second));
    }
    version += 2;
  }
}

TEST_F(ClusterMove, LosesAndDoublesNothingOverKillsAndMovesAtRandomMoments) {
  const uint64_t seed = number_from("PARLEY_SEED", std::random_device{}());
  std::cout << "PARLEY_SEED=" << seed << std::endl;
  std::mt19937_64 random(seed);
  ClusterLoad load(nodes_, random);
  for (int round = 0; round < 3 * k_rounds && !HasFatalFailure(); ++round) {
    Places wanted;
    for (int shard = 0; shard < k_shards; ++shard) {
      wanted[shard] = ClusterNodes::name(static_cast<int>(random() % k_nodes));
    }
    const int asked = static_cast<int>(random() % k_nodes);
    EXPECT_TRUE(client(asked).call(request_of(wanted)).ok());
    std::this_thread::sleep_for(milliseconds(random() % 400));
    const int killed = static_cast<int>(random() % k_nodes);
    load.goes(killed);
    nodes_.node(killed).kill();
    std::this_thread::sleep_for(milliseconds(random() % 200));
    nodes_.start(killed);
    load.came(killed);
    nodes_.wait_until_linked();
  }
  Places wanted;
  for (int shard = 0; shard < k_shards; ++shard) {
    wanted[shard] = ClusterNodes::name(shard % k_nodes);
  }
  move(wanted);
  load.finish();
  load.check();
  expect_sound();
}

TEST_F(ClusterMove, TheCommandLineEmptiesANodeAndEvensThingsOutAgain) {
  const std::string thread = nodes_.created_on(2);
  EXPECT_THAT(parley("cluster plan --without parley-2"), HasSubstr("4 shards to be moved"));
  EXPECT_THAT(parley("cluster apply --without parley-2"), HasSubstr("4 shards moved"));
  EXPECT_THAT(parley("cluster status"), HasSubstr("parley-2  0  "));
  // What scripts look for, ./dev cluster among them.
  EXPECT_THAT(parley("cluster status --json"),
              HasSubstr(R"({"name":"parley-0","reachable":true,)"));
  EXPECT_NE(nodes_.home_of(thread), 2);
  EXPECT_EQ(must_get(client(2), thread).version(), 1);
  EXPECT_THAT(parley("cluster apply"), HasSubstr("4 shards moved"));
  EXPECT_THAT(parley("cluster plan"), HasSubstr("0 shards to be moved"));
  EXPECT_THAT(parley("cluster apply --move 3=nowhere"),
              HasSubstr("no such shard, or no such node"));
  EXPECT_THAT(parley("cluster plan --without nowhere"), HasSubstr("no such node"));
  EXPECT_THAT(parley("cluster plan --without parley-2 --move 3=parley-0"),
              HasSubstr("give it without --without"));
  nodes_.node(2).kill();
  EXPECT_THAT(parley("cluster apply --without parley-2"),
              HasSubstr("nothing was moved, for parley-2 does not answer"));
}

TEST_F(ClusterMove, RefusesWhatMakesNoSense) {
  const auto refused = [&](const pb::MoveShardsRequest& request) {
    const auto answer = client(0).call(request);
    EXPECT_EQ(answer.status.reason, "INVALID_FIELD") << answer.status;
    return answer.status.fields;
  };
  EXPECT_THAT(refused({}), ElementsAre("moves"));
  EXPECT_THAT(refused(request_of({{k_shards, ClusterNodes::name(0)}})),
              ElementsAre("moves[0].shard"));
  EXPECT_THAT(refused(request_of({{-1, ClusterNodes::name(0)}})), ElementsAre("moves[0].shard"));
  EXPECT_THAT(refused(request_of({{1, "nobody"}})), ElementsAre("moves[0].to"));
  auto twice = request_of({{1, ClusterNodes::name(0)}});
  *twice.add_moves() = twice.moves(0);
  EXPECT_THAT(refused(twice), ElementsAre("moves[1].shard"));
}

}  // namespace
}  // namespace parley::test
