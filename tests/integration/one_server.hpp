#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/client.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/server_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::test {

/// A server that all tests of a suite share; each test uses threads of its own.
class OneServer : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = std::make_unique<TempDir>();
    server_ = start_server(options());
    client_ = std::make_unique<Client>(server_->address());
  }
  static void TearDownTestSuite() {
    client_.reset();
    if (server_) {
      EXPECT_EQ(server_->stop(), Ending{.exit_code = 0}) << server_->output();
    }
    server_.reset();
    dir_.reset();
  }

  static ServerOptions options() {
    return {.data_dir = *dir_ / "data", .flags = {"--log-segment", "16MB", "--shards", "16"}};
  }
  /// Kills the server and starts it again on the same data.
  static void restart() {
    server_->kill();
    server_ = start_server(options());
    client_ = std::make_unique<Client>(server_->address());
  }
  static Client& client() { return *client_; }
  static ServerProcess& server() { return *server_; }

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
  inline static std::unique_ptr<ServerProcess> server_;
  inline static std::unique_ptr<Client> client_;
};

}  // namespace parley::test
