#include <map>
#include <random>

#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include "tests/support/client.hpp"
#include "tests/support/number_file.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/server_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::test {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int k_conversations = 6;
#ifdef PARLEY_SANITIZED
constexpr int k_jumps = 15;
#else
constexpr int k_jumps = 60;
#endif

int64_t micros(const google::protobuf::Timestamp& time) {
  return TimeUtil::TimestampToMicroseconds(time);
}

/// A server whose wall clock the test moves.
class Clock : public testing::Test {
 protected:
  void SetUp() override {
    set_offset(0);
    server_ = start_server(
        {.data_dir = dir_ / "data",
         .environment = {"LD_PRELOAD=" + program("../lib/libfake_clock.so").string(),
                         "PARLEY_CLOCK_OFFSET=" + (dir_ / "offset").string(),
                         // Why: the sanitizer's library wants to be the first one otherwise.
                         "ASAN_OPTIONS=verify_asan_link_order=0"}});
    client_ = std::make_unique<Client>(server_->address());
  }

  void set_offset(int64_t seconds) { write_number(dir_ / "offset", seconds); }
  Client& client() { return *client_; }

  TempDir dir_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(Clock, ReallyMoves) {
  set_offset(20 * 3600);
  const auto answer = client().call(create("c"));
  ASSERT_TRUE(answer.ok());
  EXPECT_GT(answer->conversation().create_time().seconds(), time(nullptr) + 19 * 3600);
}

TEST_F(Clock, JumpingAboutMovesNoConversationBackInTime) {
  std::mt19937_64 random(7);
  std::map<std::string, int64_t> last;
  for (int i = 0; i < k_conversations; ++i) {
    const std::string thread = "c" + std::to_string(i);
    ASSERT_TRUE(client().call(create(thread, "ada")).ok());
  }
  const auto watching = client().stream(watch("c0"), {.timeout = std::chrono::minutes(2)});
  for (int jump = 0; jump < k_jumps; ++jump) {
    // One hour back, a day less a bit ahead, and anything between.
    set_offset(jump % 3 == 0   ? -3600
               : jump % 3 == 1 ? 20 * 3600
                               : static_cast<int64_t>(random() % 72'000) - 3600);
    for (int i = 0; i < k_conversations; ++i) {
      const std::string thread = "c" + std::to_string(i);
      const auto request = with_request_id(append(thread, {"x", "y"}));
      const auto answer = client().call(request, {.timeout = std::chrono::seconds(10)});
      ASSERT_TRUE(answer.ok()) << answer.status;
      EXPECT_GE(micros(answer->create_time()), last[thread]) << thread;
      last[thread] = micros(answer->create_time());
      EXPECT_EQ(client().call(request)->SerializeAsString(), answer->SerializeAsString());
    }
  }
  for (const auto& [thread, time] : last) {
    const auto messages = read_all(client(), thread);
    ASSERT_EQ(messages.size(), 2U * k_jumps);
    for (size_t i = 1; i < messages.size(); ++i) {
      ASSERT_GE(micros(messages[i].create_time()), micros(messages[i - 1].create_time())) << thread;
    }
    EXPECT_EQ(micros(must_get(client(), thread).last_activity_time()), time);
  }
  pb::WatchConversationResponse event;
  int64_t before = 0;
  for (int64_t version = 1; version <= k_jumps + 1; ++version) {
    ASSERT_TRUE(next_event(*watching, event)) << watching->finish();
    EXPECT_EQ(event.version(), version);
    EXPECT_GE(micros(event.time()), before);
    before = micros(event.time());
  }
}

TEST_F(Clock, JumpingAboutKeepsListsInTheOrderOfTheirTimes) {
  for (int round = 0; round < k_jumps / 3; ++round) {
    set_offset(round % 2 == 0 ? -3600 : 3600 * round);
    const std::string thread = "c" + std::to_string(round % k_conversations);
    auto request = append(thread, {"x"});
    request.mutable_create_if_missing()->set_user_id("ada");
    ASSERT_TRUE(client().call(request).ok());
    pb::ListConversationsRequest listing;
    listing.set_user_id("ada");
    const auto page = client().call(listing);
    ASSERT_TRUE(page.ok()) << page.status;
    ASSERT_EQ(page->conversations_size(), std::min(round + 1, k_conversations));
    for (int i = 1; i < page->conversations_size(); ++i) {
      EXPECT_GE(micros(page->conversations(i - 1).last_activity_time()),
                micros(page->conversations(i).last_activity_time()));
    }
  }
}

TEST_F(Clock, JumpingAboutHurtsNoDeadlineNorHeartbeat) {
  ASSERT_TRUE(client().call(create("c")).ok());
  auto request = watch("c", 1);
  request.set_heartbeat_interval_ms(1000);
  const auto watching = client().stream(request, {.timeout = std::chrono::seconds(20)});
  pb::WatchConversationResponse event;
  for (const int64_t offset : {-3600, 72'000, 0}) {
    set_offset(offset);
    ASSERT_TRUE(watching->read(event)) << watching->finish();
    EXPECT_TRUE(event.has_heartbeat());
  }
}

}  // namespace
}  // namespace parley::test
