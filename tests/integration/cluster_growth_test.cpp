#include <map>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/cluster_load.hpp"
#include "tests/support/cluster_nodes.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/temp_dir.hpp"

/// Nodes that come to a cluster and go from it.
namespace parley::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int k_nodes = 3;
constexpr int k_shards = 12;
const std::string k_first_nodes = "parley-0,parley-1,parley-2";

class ClusterGrowth : public testing::Test {
 protected:
  Client& client(int node) { return nodes_.client(node); }
  /// One node after the other, as an update would.
  void restart_those_of_old(ClusterLoad& load) {
    for (int node = 0; node < k_nodes; ++node) {
      load.goes(node);
      nodes_.stop(node);
      nodes_.start(node);
      load.came(node);
    }
  }
  std::map<std::string, int> shards_by_node(int asked) {
    std::map<std::string, int> count;
    for (const auto& [shard, node] : nodes_.settled(asked)) ++count[node];
    return count;
  }

  TempDir dir_;
  ClusterNodes nodes_{dir_.path(), k_nodes, {"--shards", std::to_string(k_shards)}};
};

TEST_F(ClusterGrowth, TakesAFourthNodeInAndLetsItGoUnderLoad) {
  std::mt19937_64 random(std::random_device{}());
  ClusterLoad load(nodes_, random);
  const int fourth = nodes_.add({"--first-nodes", k_first_nodes});
  nodes_.start(fourth);
  restart_those_of_old(load);
  nodes_.wait_until_linked();
  EXPECT_THAT(nodes_.parley(1, "cluster status"), HasSubstr("parley-3  0  "));
  EXPECT_THAT(nodes_.parley(1, "cluster apply"), HasSubstr("3 shards moved"));
  const std::map<std::string, int> even{
      {"parley-0", 3}, {"parley-1", 3}, {"parley-2", 3}, {"parley-3", 3}};
  EXPECT_EQ(shards_by_node(2), even);
  const std::string thread = nodes_.created_on(fourth);
  EXPECT_EQ(must_get(client(0), thread).version(), 1);

  EXPECT_THAT(nodes_.parley(fourth, "cluster apply --without parley-3"),
              HasSubstr("3 shards moved"));
  nodes_.stop(fourth);
  nodes_.remove_last();
  restart_those_of_old(load);
  nodes_.wait_until_linked();
  const std::map<std::string, int> back{{"parley-0", 4}, {"parley-1", 4}, {"parley-2", 4}};
  EXPECT_EQ(shards_by_node(0), back);
  EXPECT_THAT(nodes_.parley(0, "cluster status"), Not(HasSubstr("parley-3")));
  for (int node = 0; node < k_nodes; ++node) {
    EXPECT_EQ(must_get(client(node), thread).version(), 1);
  }
  load.finish();
  load.check();
  for (int node = 0; node < k_nodes; ++node) {
    EXPECT_THAT(storage_problems(client(node)), IsEmpty());
  }
}

/// A node that took itself for one of those that the cluster began with would own what others own.
TEST_F(ClusterGrowth, StopsANewcomerThatWouldBeginAnotherCluster) {
  const std::string thread = nodes_.created_on(0);
  const int fourth = nodes_.add({});
  for (int node = 0; node < k_nodes; ++node) {
    nodes_.stop(node);
    nodes_.start(node);
  }
  {
    ServerProcess newcomer(nodes_.options(fourth));
    EXPECT_FALSE(newcomer.wait_until_serving());
    EXPECT_EQ(newcomer.wait(std::chrono::seconds(10)), Ending{.exit_code = 1});
    EXPECT_THAT(newcomer.output(),
                AllOf(HasSubstr("began with " + k_first_nodes), HasSubstr("start it again")));
  }
  nodes_.start(fourth);
  nodes_.wait_until_linked();
  EXPECT_EQ(shards_by_node(fourth).count("parley-3"), 0U);
  EXPECT_EQ(must_get(client(fourth), thread).version(), 1);
  EXPECT_THAT(nodes_.parley(fourth, "cluster apply"), HasSubstr("3 shards moved"));
  EXPECT_EQ(shards_by_node(0).at("parley-3"), 3);
}

TEST_F(ClusterGrowth, RefusesFirstNodesThatDiffer) {
  nodes_.stop(2);
  ServerOptions options = nodes_.options(2);
  options.flags.insert(options.flags.end(), {"--first-nodes", "parley-0,parley-2"});
  ServerProcess process(options);
  EXPECT_FALSE(process.wait_until_serving());
  EXPECT_THAT(process.output(), HasSubstr("in a cluster that began with parley-0 parley-1"));
}

}  // namespace
}  // namespace parley::test
