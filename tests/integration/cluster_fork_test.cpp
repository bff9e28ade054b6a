#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/cluster_nodes.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/temp_dir.hpp"

/// Forks whose parents lie with other nodes. What a fork shows is tested by api_fork_test, which
/// runs in a cluster too.
namespace parley::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ClusterFork : public testing::Test {
 protected:
  static constexpr int k_nodes = 3;

  Client& client(int node) { return nodes_.client(node); }

  std::string talk_on(int node, int messages) {
    const std::string thread = nodes_.created_on(node);
    for (int i = 1; i <= messages; ++i) {
      EXPECT_TRUE(client(0).call(append(thread, {"m" + std::to_string(i)})).ok());
    }
    return thread;
  }
  /// A name that nobody has, of a conversation that lies on that node.
  std::string free_name_on(int node) {
    const std::string thread = nodes_.created_on(node);
    EXPECT_TRUE(client(0).call(erase(thread)).ok());
    return thread;
  }
  std::string fork_on(int node, const std::string& parent, int64_t at) {
    const std::string thread = free_name_on(node);
    auto request = with_request_id(fork(parent, thread));
    request.set_at_sequence(at);
    const auto answer = client((node + 1) % k_nodes).call(request);
    EXPECT_TRUE(answer.ok()) << answer.status;
    const auto again = client(node).call(request);
    EXPECT_TRUE(again.ok()) << again.status;
    EXPECT_EQ(again->conversation().version(), answer->conversation().version());
    EXPECT_EQ(nodes_.home_of(thread), node);
    return thread;
  }
  std::vector<std::string> shown(int node, const std::string& thread) {
    return bodies(read_all(client(node), thread));
  }
  /// Messages that a node keeps, with nothing wrong about them.
  int64_t messages_kept(int node) {
    EXPECT_THAT(storage_problems(client(node)), IsEmpty()) << ClusterNodes::name(node);
    const auto stream = client(node).stream(pb::VerifyStorageRequest{});
    pb::VerifyStorageResponse last;
    for (pb::VerifyStorageResponse next; stream->read(next);) last = next;
    return last.messages();
  }

  TempDir dir_;
  ClusterNodes nodes_{dir_.path(), k_nodes, {"--shards", "16"}};
};

TEST_F(ClusterFork, ShowsWhatItSharesByEveryNodeUntilNobodyNeedsIt) {
  const std::string parent = talk_on(0, 5);
  const std::string child = fork_on(1, parent, 4);
  ASSERT_TRUE(client(0).call(append(child, {"c1", "c2"})).ok());
  const std::string grandchild = fork_on(2, child, 5);
  ASSERT_TRUE(client(0).call(append(grandchild, {"g1"})).ok());
  for (int node = 0; node < k_nodes; ++node) {
    EXPECT_THAT(shown(node, child), ElementsAre("m1", "m2", "m3", "m4", "c1", "c2"));
    EXPECT_THAT(shown(node, grandchild), ElementsAre("m1", "m2", "m3", "m4", "c1", "g1"));
    auto newest = list(grandchild, 4);
    newest.set_order(pb::MESSAGE_ORDER_NEWEST_FIRST);
    const auto page = client(node).call(newest);
    ASSERT_TRUE(page.ok()) << page.status;
    std::vector<std::string> seen;
    for (const auto& message : page->messages()) seen.push_back(message.content());
    EXPECT_THAT(seen, ElementsAre("g1", "c1", "m4", "m3"));
    EXPECT_EQ(must_get(client(node), grandchild, 10).fork_origin().thread_id(), child);
  }
  ASSERT_TRUE(client(1).call(erase(parent)).ok());
  ASSERT_TRUE(client(1).call(erase(child)).ok());
  EXPECT_THAT(shown(0, grandchild), ElementsAre("m1", "m2", "m3", "m4", "c1", "g1"));
  EXPECT_EQ(messages_kept(0), 4);
  ASSERT_TRUE(client(0).call(erase(grandchild)).ok());
  // The word goes from child to parent, node by node.
  for (int node = 0; node < k_nodes; ++node) {
    while (messages_kept(node) > 0 && !HasFailure()) {
    }
  }
}

TEST_F(ClusterFork, GoesOnWhileTheNodeOfItsParentIsAway) {
  const std::string parent = talk_on(0, 3);
  const std::string child = fork_on(1, parent, 3);
  ASSERT_TRUE(client(2).call(append(child, {"c1"})).ok());
  nodes_.node(0).kill();
  ASSERT_TRUE(client(2).call(append(child, {"c2"})).ok());
  auto newest = list(child, 2);
  newest.set_order(pb::MESSAGE_ORDER_NEWEST_FIRST);
  EXPECT_TRUE(client(2).call(newest).ok());
  EXPECT_EQ(client(2).call(list(child)).status.code, Code::unavailable);
  // Also where it has to be loaded first.
  nodes_.node(1).kill();
  nodes_.start(1);
  while (client(2).call(get(child)).status.code == Code::unavailable) {
  }
  ASSERT_TRUE(client(2).call(append(child, {"c3"})).ok());
  nodes_.start(0);
  nodes_.wait_until_linked();
  EXPECT_THAT(shown(2, child), ElementsAre("m1", "m2", "m3", "c1", "c2", "c3"));
}

TEST_F(ClusterFork, TellsItsParentThatItIsGoneOnceThatIsBack) {
  const std::string parent = talk_on(0, 3);
  const std::string child = fork_on(1, parent, 3);
  ASSERT_TRUE(client(2).call(erase(parent)).ok());
  EXPECT_EQ(messages_kept(0), 3);
  nodes_.node(0).kill();
  ASSERT_TRUE(client(2).call(erase(child)).ok());
  nodes_.start(0);
  nodes_.wait_until_linked();
  while (messages_kept(0) > 0 && !HasFailure()) {
  }
}

}  // namespace
}  // namespace parley::test
