#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/shard_file.hpp"
#include "storage/data_dir.hpp"
#include "tests/support/cluster_nodes.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/temp_dir.hpp"

/// Three real nodes with storage of their own, links between them, and calls by whichever.
namespace parley::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int k_nodes = 3;
constexpr int k_shards = 64;

class StaticCluster : public testing::Test {
 protected:
  Client& client(int node) { return nodes_.client(node); }
  std::vector<std::string> create_some(int count) {
    std::vector<std::string> threads;
    for (int i = 0; i < count; ++i) {
      threads.push_back("c" + std::to_string(i));
      const auto answer = client(i % k_nodes).call(create(threads.back(), "ann"));
      EXPECT_TRUE(answer.ok()) << answer.status;
    }
    return threads;
  }
  std::vector<std::string> listed(int node, int page_size, std::set<int>* unreachable = nullptr) {
    std::vector<std::string> threads;
    pb::ListConversationsRequest request;
    request.set_page_size(page_size);
    do {
      const auto page = client(node).call(request);
      EXPECT_TRUE(page.ok()) << page.status;
      for (const auto& shown : page->conversations()) threads.push_back(shown.thread_id());
      for (const int shard : page->unreachable_shards()) {
        if (unreachable != nullptr) unreachable->insert(shard);
      }
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return threads;
  }

  TempDir dir_;
  ClusterNodes nodes_{dir_.path(), k_nodes, {"--shards", std::to_string(k_shards)}};
};

TEST_F(StaticCluster, AnswersForEveryConversationByAnyNode) {
  const auto threads = create_some(30);
  std::set<int> homes;
  for (size_t i = 0; i < threads.size(); ++i) {
    const std::string& thread = threads[i];
    homes.insert(nodes_.home_of(thread));
    const auto appended = client(static_cast<int>(i + 1) % k_nodes).call(append(thread, {"one"}));
    ASSERT_TRUE(appended.ok()) << appended.status;
    for (int node = 0; node < k_nodes; ++node) {
      EXPECT_THAT(bodies(read_all(client(node), thread)), ElementsAre("one"));
      EXPECT_EQ(must_get(client(node), thread).version(), 2);
    }
  }
  EXPECT_EQ(homes.size(), size_t{k_nodes});
  auto request = rename(threads[3], "another title");
  EXPECT_TRUE(client(1).call(request).ok());
  EXPECT_EQ(must_get(client(2), threads[3]).title(), "another title");
  EXPECT_TRUE(client(2).call(erase(threads[4])).ok());
  for (int node = 0; node < k_nodes; ++node) {
    EXPECT_EQ(client(node).call(get(threads[4])).status.reason, "CONVERSATION_NOT_FOUND");
  }
}

/// Knows nothing of a move that the others know of: its calls go to the owner of old, which says
/// who has the shard now.
TEST_F(StaticCluster, ANodeThatKnowsAnOlderOwnerGoesOnToTheNewOne) {
  const std::string thread = nodes_.created_on(0);
  ASSERT_TRUE(client(0).call(append(thread, {"one"})).ok());
  nodes_.stop(2);
  auto shards = read_shards(nodes_.data_dir(2));
  ASSERT_TRUE(shards.ok() && shards->has_value());
  for (Holding& holding : (*shards)->holdings) {
    if (holding.peer != NodeName{ClusterNodes::name(0)}) continue;
    holding = {Holding::Kind::absent, {0}, {ClusterNodes::name(1)}, 0};
  }
  ASSERT_TRUE(write_whole(nodes_.data_dir(2) + "/SHARDS", format_shards(**shards)).ok());
  nodes_.start(2);
  nodes_.wait_until_linked();
  const auto appended = client(2).call(append(thread, {"two"}));
  ASSERT_TRUE(appended.ok()) << appended.status;
  EXPECT_THAT(bodies(read_all(client(2), thread)), ElementsAre("one", "two"));
  const auto created = client(2).call(create(nodes_.created_on(0) + "-fresh", "ann"));
  EXPECT_TRUE(created.ok()) << created.status;
  pb::ForkConversationRequest fork;
  fork.set_thread_id(nodes_.created_on(0));
  EXPECT_TRUE(client(2).call(fork).ok());
  EXPECT_TRUE(client(2).call(erase(thread)).ok());
}

TEST_F(StaticCluster, AnswersARepeatedRequestOnceWhicheverNodeIsAsked) {
  create_some(6);
  for (int i = 0; i < 6; ++i) {
    const auto request = with_request_id(append("c" + std::to_string(i), {"once"}));
    for (int node = 0; node < k_nodes; ++node) {
      const auto answer = client(node).call(request);
      ASSERT_TRUE(answer.ok()) << answer.status;
      EXPECT_EQ(answer->version(), 2);
    }
  }
  // An id that is made of the request is the same by every node.
  const auto made = with_request_id(create(""));
  std::set<std::string> ids;
  for (int node = 0; node < k_nodes; ++node) {
    const auto answer = client(node).call(made);
    ASSERT_TRUE(answer.ok()) << answer.status;
    ids.insert(answer->conversation().thread_id());
  }
  EXPECT_EQ(ids.size(), 1U);
}

TEST_F(StaticCluster, ShowsErrorsOfTheOwnerAsTheyAre) {
  create_some(6);
  auto request = append("c1", {"x"});
  request.set_expected_version(7);
  for (int node = 0; node < k_nodes; ++node) {
    const auto answer = client(node).call(request);
    EXPECT_EQ(answer.status.reason, "VERSION_MISMATCH") << answer.status;
    EXPECT_EQ(answer.status.metadata.at("current_version"), "1");
    EXPECT_EQ(client(node).call(get("a/b")).status.code, Code::invalid_argument);
  }
}

TEST_F(StaticCluster, ListsAcrossNodesPageByPageAndReadsManyAtOnce) {
  auto threads = create_some(40);
  std::reverse(threads.begin(), threads.end());  // newest activity first
  for (int node = 0; node < k_nodes; ++node) {
    EXPECT_EQ(listed(node, 7), threads);
    pb::BatchGetConversationsRequest batch;
    for (const auto& thread : threads) batch.add_thread_ids(thread);
    batch.add_thread_ids("nobody");
    const auto answer = client(node).call(batch);
    ASSERT_TRUE(answer.ok()) << answer.status;
    std::vector<std::string> found;
    for (const auto& one : answer->conversations()) found.push_back(one.thread_id());
    EXPECT_EQ(found, threads);
    EXPECT_THAT(answer->not_found(), ElementsAre("nobody"));
    EXPECT_THAT(answer->unreachable(), IsEmpty());
  }
}

TEST_F(StaticCluster, GoesOnWithoutADeadNodeAndTakesItBack) {
  const auto threads = create_some(30);
  std::map<std::string, int> homes;
  for (const auto& thread : threads) homes[thread] = nodes_.home_of(thread);
  nodes_.node(1).kill();
  std::set<int> unreachable;
  const auto shown = listed(0, 10, &unreachable);
  // 64 shards: the dead node had 21 or 22.
  EXPECT_GE(unreachable.size(), 21U);
  EXPECT_LE(unreachable.size(), 22U);
  pb::BatchGetConversationsRequest batch;
  for (const auto& [thread, home] : homes) {
    batch.add_thread_ids(thread);
    const auto answer = client(0).call(append(thread, {"while it is down"}));
    if (home == 1) {
      EXPECT_EQ(answer.status.reason, "NODE_UNREACHABLE") << answer.status;
      EXPECT_EQ(answer.status.code, Code::unavailable);
    } else {
      EXPECT_TRUE(answer.ok()) << answer.status;
    }
    EXPECT_EQ(std::count(shown.begin(), shown.end(), thread), home == 1 ? 0 : 1);
  }
  const auto many = client(2).call(batch);
  ASSERT_TRUE(many.ok()) << many.status;
  EXPECT_EQ(many->unreachable_size(),
            static_cast<int>(std::count_if(homes.begin(), homes.end(),
                                           [](const auto& entry) { return entry.second == 1; })));
  nodes_.start(1);
  nodes_.wait_until_linked();
  for (const auto& [thread, home] : homes) {
    EXPECT_EQ(must_get(client(2), thread).version(), home == 1 ? 1 : 2);
    EXPECT_TRUE(client(1).call(append(thread, {"after"})).ok());
  }
}

TEST_F(StaticCluster, CarriesLargeRequestsAndAnswers) {
  create_some(6);
  const std::string large(900'000, 'x');
  for (int i = 0; i < 6; ++i) {
    const std::string thread = "c" + std::to_string(i);
    ASSERT_TRUE(client(0).call(append(thread, {large, large})).ok());
    EXPECT_THAT(bodies(read_all(client(1), thread)), ElementsAre(large, large));
  }
}

TEST_F(StaticCluster, SaysHowLongNodesTakeToAnswer) {
  const auto cluster = client(1).call(pb::GetClusterRequest{});
  ASSERT_TRUE(cluster.ok()) << cluster.status;
  ASSERT_EQ(cluster->nodes_size(), k_nodes);
  for (int i = 0; i < k_nodes; ++i) {
    EXPECT_TRUE(cluster->nodes(i).reachable());
    EXPECT_EQ(cluster->nodes(i).round_trip_us() > 0, i != 1);
    EXPECT_EQ(cluster->nodes(i).lease_left_ms(), 0);
  }
}

TEST_F(StaticCluster, StopsInOrderWhileTheOthersGoOn) {
  create_some(9);
  nodes_.stop(2);
  for (int i = 0; i < 9; ++i) {
    const auto answer = client(0).call(get("c" + std::to_string(i)));
    EXPECT_TRUE(answer.ok() || answer.status.code == Code::unavailable) << answer.status;
  }
}

/// What says which trace a call is part of goes along to the node that carries it out.
TEST(ACluster, KnowsTheTraceOfACallByWayOfAnotherNode) {
  const TempDir dir;
  ClusterNodes nodes(dir.path(), 2, {"--shards", "16", "--log-level", "debug"});
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto call = [&](const std::string& trace_parent) {
    const auto request = append(nodes.created_on(0), {"one"});
    const auto answer = nodes.client(1).call(request, {.trace_parent = trace_parent});
    ASSERT_TRUE(answer.ok()) << answer.status;
  };
  call("no-trace \"}");
  call(trace);
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (nodes.node(0).output().find(trace) == std::string::npos &&
         std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_THAT(nodes.node(0).output(),
              HasSubstr("AppendMessages for node parley-1, of trace " + trace));
  EXPECT_THAT(nodes.node(0).output(), testing::Not(HasSubstr("no-trace")));
}

/// An authority of the test's own, and certificates that it signed, or that it did not.
class Certificates {
 public:
  explicit Certificates(std::string dir) : dir_(std::move(dir)) {
    for (const char* authority : {"ca", "stranger-ca"}) {
      run("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=" + std::string(authority) +
          " -keyout " + path(authority, "key") + " -out " + path(authority, "pem"));
    }
    make("node", "ca");
    make("stranger", "stranger-ca");
  }
  [[nodiscard]] std::vector<std::string> flags(const std::string& name) const {
    return {"--peer-cert",     path(name, "pem"), "--peer-key",
            path(name, "key"), "--peer-ca",       path("ca", "pem")};
  }

 private:
  [[nodiscard]] std::string path(const std::string& name, const std::string& kind) const {
    return dir_ + "/" + name + "." + kind;
  }
  void make(const std::string& name, const std::string& authority) {
    run("req -newkey rsa:2048 -nodes -subj /CN=" + name + " -keyout " + path(name, "key") +
        " -out " + path(name, "csr"));
    run("x509 -req -days 2 -CAcreateserial -in " + path(name, "csr") + " -CA " +
        path(authority, "pem") + " -CAkey " + path(authority, "key") + " -out " +
        path(name, "pem"));
  }
  static void run(const std::string& arguments) {
    ASSERT_EQ(std::system(("openssl " + arguments + " 2>/dev/null").c_str()), 0) << arguments;
  }

  const std::string dir_;
};

TEST(SecuredCluster, LinksThoseWithACertificateOfTheClustersAuthorityOnly) {
  TempDir dir;
  const Certificates certificates(dir.path());
  ClusterNodes nodes(dir.path(), 2, certificates.flags("node"));
  const std::string thread = nodes.created_on(0);
  const std::string large(900'000, 'x');
  ASSERT_TRUE(nodes.client(1).call(append(thread, {large})).ok());
  EXPECT_THAT(bodies(read_all(nodes.client(1), thread)), ElementsAre(large));
  nodes.stop(1);
  // One that is signed by somebody else, and one that says nothing of itself.
  for (const bool plain : {false, true}) {
    ServerOptions options = nodes.options(1);
    const auto secured = certificates.flags("node");
    options.flags.erase(options.flags.begin(),
                        options.flags.begin() + static_cast<ptrdiff_t>(secured.size()));
    if (!plain) {
      const auto strange = certificates.flags("stranger");
      options.flags.insert(options.flags.end(), strange.begin(), strange.end());
    }
    const auto stranger = start_server(options);
    Client client(stranger->address());
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(4);
    while (std::chrono::steady_clock::now() < until) {
      ASSERT_EQ(client.call(get(thread)).status.reason, "NODE_UNREACHABLE");
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_EQ(must_get(nodes.client(0), thread).version(), 2) << "it goes on meanwhile";
  }
  nodes.start(1);
  nodes.wait_until_linked();
  EXPECT_EQ(must_get(nodes.client(1), thread).version(), 2);
}

TEST_F(StaticCluster, RefusesWhatDoesNotFit) {
  nodes_.node(2).kill();
  const auto refusal = [&](std::vector<std::string> flags) {
    ServerProcess server({.data_dir = nodes_.data_dir(2), .flags = std::move(flags)});
    const auto ending = server.wait(std::chrono::seconds(20));
    EXPECT_TRUE(ending && ending->exit_code && *ending->exit_code != 0) << server.output();
    return server.output();
  };
  const std::string shards = std::to_string(k_shards);
  EXPECT_THAT(refusal({"--shards", shards}), HasSubstr("belongs to a cluster"));
  EXPECT_THAT(refusal({"--shards", shards, "--cluster", "static", "--node", "parley-1", "--peers",
                       nodes_.peers()}),
              HasSubstr("that of node parley-2"));
  EXPECT_THAT(refusal({"--shards", shards, "--cluster", "static", "--node", "parley-7", "--peers",
                       nodes_.peers()}),
              HasSubstr("is not one of --peers"));
  EXPECT_THAT(refusal({"--shards", shards, "--cluster", "static", "--node", "parley-2", "--peers",
                       "parley-2=127.0.0.1"}),
              HasSubstr("NAME=HOST:PORT"));
  EXPECT_THAT(refusal({"--shards", shards, "--cluster", "static", "--node", "parley-2", "--peers",
                       "parley-2=10.1.2.3:7448"}),
              HasSubstr("not a loopback address"));
}

}  // namespace
}  // namespace parley::test
