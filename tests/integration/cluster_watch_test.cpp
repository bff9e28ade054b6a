#include <chrono>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/cluster_nodes.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/temp_dir.hpp"

/// Watches whose client and conversation are at different nodes. What a watch shows is tested by
/// api_watch_test, which runs in a cluster too.
namespace parley::test {
namespace {

using testing::ElementsAre;
using Event = pb::WatchConversationResponse;

class ClusterWatch : public testing::Test {
 protected:
  static constexpr int k_nodes = 3;

  std::unique_ptr<Stream<Event>> watching(int node, const pb::WatchConversationRequest& request) {
    return nodes_.client(node).stream(request, {.timeout = std::chrono::seconds(120)});
  }
  bool appended(int node, const std::string& thread, const std::string& text) {
    return nodes_.client(node).call(append(thread, {text})).ok();
  }

  TempDir dir_;
  ClusterNodes nodes_{dir_.path(), k_nodes, {"--shards", "16", "--limit-watchers", "3"}};
};

TEST_F(ClusterWatch, ShowsTheSameByEveryNodeWhileAllOfThemWrite) {
#ifdef PARLEY_SANITIZED
  constexpr int k_appends = 20;
#else
  constexpr int k_appends = 200;
#endif
  const std::string thread = nodes_.created_on(1);
  std::vector<std::unique_ptr<Stream<Event>>> streams;
  for (int node = 0; node < k_nodes; ++node) streams.push_back(watching(node, watch(thread)));
  std::vector<std::thread> writers;
  for (int node = 0; node < k_nodes; ++node) {
    writers.emplace_back([&, node] {
      for (int i = 0; i < k_appends; ++i) {
        EXPECT_TRUE(appended(node, thread, std::to_string(node) + "/" + std::to_string(i)));
      }
    });
  }
  std::vector<std::vector<std::string>> seen;
  for (const auto& stream : streams) {
    seen.push_back(next_events(*stream, 1 + k_nodes * k_appends));
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(seen[0].size(), size_t{1 + k_nodes * k_appends});
  EXPECT_EQ(seen[1], seen[0]);
  EXPECT_EQ(seen[2], seen[0]);
  const auto all = bodies(read_all(nodes_.client(2), thread));
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(seen[0][i + 1], std::to_string(i + 2) + " messages_appended " + all[i]);
  }
}

TEST_F(ClusterWatch, GoesOnWithoutAGapOverARestartOfTheNodeThatHasTheConversation) {
  const std::string thread = nodes_.created_on(1);
  const auto stream = watching(0, watch(thread));
  ASSERT_THAT(next_events(*stream, 1), ElementsAre("1 created"));
  for (int round = 0; round < 3; ++round) {
    const std::string before = "before " + std::to_string(round);
    const std::string after = "after " + std::to_string(round);
    ASSERT_TRUE(appended(2, thread, before));
    nodes_.node(1).kill();
    nodes_.start(1);
    nodes_.wait_until_linked();
    ASSERT_TRUE(appended(2, thread, after));
    const std::string version = std::to_string(2 + 2 * round);
    const std::string next_version = std::to_string(3 + 2 * round);
    EXPECT_THAT(next_events(*stream, 2), ElementsAre(version + " messages_appended " + before,
                                                     next_version + " messages_appended " + after));
  }
}

TEST_F(ClusterWatch, EndsWithItsPositionWhereThatNodeDoesNotComeBack) {
  const std::string thread = nodes_.created_on(1);
  const auto stream = watching(0, watch(thread));
  ASSERT_THAT(next_events(*stream, 1), ElementsAre("1 created"));
  nodes_.node(1).kill();
  Event event;
  EXPECT_FALSE(next_event(*stream, event));
  const CallStatus status = stream->finish();
  EXPECT_EQ(status.reason, "NODE_UNREACHABLE") << status;
  EXPECT_EQ(status.code, Code::unavailable);
  EXPECT_EQ(status.metadata.at("resume_version"), "1");
  EXPECT_EQ(watching(0, watch(thread, 1))->finish().reason, "NODE_UNREACHABLE");
}

// A watch that waited behind the last version was told that there is no such conversation.
TEST_F(ClusterWatch, ShowsTheEndOfTheConversation) {
  const std::string thread = nodes_.created_on(1);
  const auto stream = watching(0, watch(thread));
  ASSERT_THAT(next_events(*stream, 1), ElementsAre("1 created"));
  // It waits behind that by the time of the first heartbeat.
  auto request = watch(thread, 1);
  request.set_heartbeat_interval_ms(1000);
  const auto waiting = watching(2, request);
  Event event;
  ASSERT_TRUE(waiting->read(event));
  ASSERT_TRUE(event.has_heartbeat());
  ASSERT_TRUE(nodes_.client(2).call(erase(thread)).ok());
  ASSERT_TRUE(nodes_.client(2).call(create(thread)).ok());
  ASSERT_TRUE(appended(2, thread, "of another conversation"));
  for (const auto* each : {&stream, &waiting}) {
    EXPECT_THAT(next_events(**each, 2), ElementsAre("2 deleted"));
    EXPECT_TRUE((*each)->finish().ok());
  }
}

TEST_F(ClusterWatch, LeavesRoomForOthersWhenItIsOver) {
  const std::string thread = nodes_.created_on(2);
  for (int i = 0; i < 10; ++i) {
    CallStatus status{.code = Code::resource_exhausted, .reason = "TOO_MANY_WATCHERS"};
    // The ends of those before may still be on their way.
    while (status.reason == "TOO_MANY_WATCHERS") {
      const auto stream = watching(i % 2, watch(thread));
      const auto seen = next_events(*stream, 1);
      if (!seen.empty()) stream->cancel();
      status = stream->finish();
    }
    EXPECT_EQ(status.code, Code::cancelled) << status;
  }
}

TEST_F(ClusterWatch, IsRefusedWhereThereAreTooMany) {
  const std::string thread = nodes_.created_on(2);
  std::vector<std::unique_ptr<Stream<Event>>> streams;
  for (int i = 0; i < 3; ++i) {
    streams.push_back(watching(i, watch(thread)));
    ASSERT_THAT(next_events(*streams.back(), 1), ElementsAre("1 created"));
  }
  EXPECT_EQ(watching(0, watch(thread))->finish().reason, "TOO_MANY_WATCHERS");
  EXPECT_EQ(watching(2, watch(thread))->finish().reason, "TOO_MANY_WATCHERS");
}

}  // namespace
}  // namespace parley::test
