#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/client.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/server_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::test {
namespace {

using std::chrono::milliseconds;
using testing::IsEmpty;

constexpr int64_t k_mib = 1 << 20;
constexpr auto k_patience = std::chrono::seconds(30);

/// A small file system that vanishes with the process.
class SmallDisk : public testing::Test {
 protected:
  void SetUp() override {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, "size=160m") != 0) {
      GTEST_SKIP() << "needs root that may mount";
    }
    mounted_ = true;
    start();
  }
  void TearDown() override {
    client_.reset();
    server_.reset();
    if (mounted_) umount2(dir_.path().c_str(), MNT_DETACH);
  }

  void start() {
    server_ = start_server(
        {.data_dir = dir_ / "data",
         .flags = {"--disk-floor", "24MB", "--log-segment", "4MB", "--memory-budget", "64MB"}});
    client_ = std::make_unique<Client>(server_->address());
  }
  int64_t free_bytes() {
    struct statvfs seen {};
    statvfs(dir_.path().c_str(), &seen);
    return static_cast<int64_t>(seen.f_bavail * seen.f_frsize);
  }
  /// Takes all but this much.
  void leave_free(int64_t bytes) {
    const int file =
        open((dir_ / "ballast").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
    const std::string block(64 << 10, 'b');
    while (free_bytes() > bytes) {
      if (write(file, block.data(), std::min<int64_t>(block.size(), free_bytes() - bytes)) <= 0)
        break;
    }
    close(file);
  }
  void drop_ballast() { std::filesystem::remove(dir_ / "ballast"); }

  CallStatus append_one(const std::string& thread, size_t size = 1000) {
    std::string text = "message " + std::to_string(++last_) + " ";
    while (text.size() < size) text += new_request_id();
    const auto answer = client().call(append(thread, {text}));
    if (answer.ok()) acknowledged_.push_back(text);
    return answer.status;
  }
  /// Appends until the server says that the disk is full; false where it never does.
  bool append_until_refused(size_t size, int most) {
    for (int i = 0; i < most; ++i) {
      const CallStatus status = append_one("c", size);
      if (status.ok()) continue;
      EXPECT_EQ(status.code, Code::resource_exhausted) << status;
      EXPECT_EQ(status.reason, "DISK_FULL") << status;
      EXPECT_TRUE(status.has_retry_info) << status;
      return status.reason == "DISK_FULL";
    }
    return false;
  }
  bool append_until_taken() {
    const auto give_up = std::chrono::steady_clock::now() + k_patience;
    while (std::chrono::steady_clock::now() < give_up) {
      const CallStatus status = append_one("c");
      if (status.ok()) return true;
      EXPECT_EQ(status.reason, "DISK_FULL") << status;
      if (status.reason != "DISK_FULL") return false;
      std::this_thread::sleep_for(milliseconds(20));
    }
    return false;
  }
  void expect_all_there() {
    const auto found = bodies(read_all(client(), "c"));
    std::vector<std::string> missing;
    size_t at = 0;
    for (const std::string& text : acknowledged_) {
      while (at < found.size() && found[at] != text) ++at;
      if (at == found.size()) missing.push_back(text.substr(0, 30));
    }
    EXPECT_THAT(missing, IsEmpty());
  }
  Client& client() { return *client_; }

  TempDir dir_;
  bool mounted_ = false;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
  std::vector<std::string> acknowledged_;
  int last_ = 0;
};

TEST_F(SmallDisk, RefusesAppendsBelowTheFloorAndTakesThemAgainWhenThereIsSpace) {
  ASSERT_TRUE(client().call(create("c")).ok());
  ASSERT_TRUE(client().call(create("doomed")).ok());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(append_one("c").ok());
  leave_free(20 * k_mib);
  ASSERT_TRUE(append_until_refused(1000, 100'000)) << "no refusal below the floor";
  EXPECT_TRUE(client().call(pb::GetServerInfoRequest{})->disk_full());
  expect_all_there();
  EXPECT_EQ(client().call(create("another")).status.reason, "DISK_FULL");
  EXPECT_TRUE(client().call(erase("doomed")).ok()) << "deleting goes on";
  EXPECT_EQ(client().call(get("doomed")).status.code, Code::not_found);
  drop_ballast();
  ASSERT_TRUE(append_until_taken()) << "appends are refused with space there";
  EXPECT_FALSE(client().call(pb::GetServerInfoRequest{})->disk_full());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(append_one("c").ok());
  server_->kill();
  start();
  expect_all_there();
  EXPECT_THAT(storage_problems(client()), IsEmpty());
}

TEST_F(SmallDisk, FillsUpByItselfAndRecoversByDeleting) {
  ASSERT_TRUE(client().call(create("c")).ok());
  ASSERT_TRUE(append_until_refused(500'000, 2000)) << "never full";
  std::cout << acknowledged_.size() << " messages of 500 kB fit, " << free_bytes() / k_mib
            << " MiB are free\n";
  EXPECT_GT(free_bytes(), 4 * k_mib) << "the floor was overrun";
  expect_all_there();
  server_->kill();
  start();
  expect_all_there();
  ASSERT_TRUE(append_until_refused(500'000, 2000)) << "a restart has made it forget the floor";
  ASSERT_TRUE(client().call(erase("c")).ok());
  acknowledged_.clear();
  const auto give_up = std::chrono::steady_clock::now() + k_patience;
  Answer<pb::CreateConversationResponse> answer;
  do {
    answer = client().call(create("c"));
    std::this_thread::sleep_for(milliseconds(20));
  } while (!answer.ok() && std::chrono::steady_clock::now() < give_up);
  ASSERT_TRUE(answer.ok()) << "the space of what was deleted never came back: " << answer.status
                           << ", " << free_bytes() / k_mib << " MiB free\n"
                           << server_->output();
  ASSERT_TRUE(append_until_taken());
  expect_all_there();
}

TEST_F(SmallDisk, SurvivesADiskThatOthersFillToTheLastByte) {
  ASSERT_TRUE(client().call(create("c")).ok());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(append_one("c", 20'000).ok());
  std::thread filler([&] { leave_free(0); });
  for (int i = 0; i < 300; ++i) {
    const CallStatus status = append_one("c", 20'000);
    if (status.ok()) continue;
    EXPECT_TRUE(status.reason == "DISK_FULL" || status.code == Code::unavailable) << status;
    std::this_thread::sleep_for(milliseconds(5));
  }
  filler.join();
  ASSERT_TRUE(server_->running()) << server_->output();
  expect_all_there();
  drop_ballast();
  ASSERT_TRUE(append_until_taken());
  server_->kill();
  start();
  expect_all_there();
  EXPECT_THAT(storage_problems(client()), IsEmpty());
}

}  // namespace
}  // namespace parley::test
