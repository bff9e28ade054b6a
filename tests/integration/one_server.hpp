#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/cluster_nodes.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::test {

/// A server that all tests of a suite share; each test uses threads of its own. With PARLEY_NODES a
/// cluster of so many, called by way of its first node.
class OneServer : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const char* count = std::getenv("PARLEY_NODES");
    dir_ = std::make_unique<TempDir>();
    nodes_ = std::make_unique<ClusterNodes>(
        dir_->path(), count == nullptr ? 1 : std::stoi(count),
        std::vector<std::string>{"--log-segment", "16MB", "--shards", "16"});
  }
  static void TearDownTestSuite() {
    nodes_->stop_all();
    nodes_.reset();
    dir_.reset();
  }

  /// Kills the server and starts it again on the same data.
  static void restart() { nodes_->restart(); }
  static Client& client() { return nodes_->client(0); }
  static ServerProcess& server() { return nodes_->node(0); }

  /// The answer of a call that must succeed.
  template <class Request>
  static auto must(const Request& request) {
    auto answer = client().call(request);
    EXPECT_TRUE(answer.ok()) << request.GetTypeName() << ": " << answer.status;
    return std::move(answer.value);
  }
  /// The end of a call that must not succeed.
  template <class Request>
  static CallStatus refused(const Request& request) {
    const auto answer = client().call(request);
    EXPECT_FALSE(answer.ok()) << request.GetTypeName() << ": " << request.ShortDebugString();
    return answer.status;
  }
  /// A fresh conversation with messages.
  static std::string made(const std::vector<std::string>& texts = {},
                          const std::string& user = "") {
    const std::string thread = new_thread_id("t");
    must(create(thread, user));
    if (!texts.empty()) must(append(thread, texts));
    return thread;
  }
  static std::vector<std::string> texts_of(const std::string& thread) {
    return bodies(read_all(client(), thread));
  }

 private:
  inline static std::unique_ptr<TempDir> dir_;
  inline static std::unique_ptr<ClusterNodes> nodes_;
};

}  // namespace parley::test
