#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/services/cli/fake_server.hpp"
#include "tests/services/cli/program_run.hpp"

namespace parley::cli {
namespace {

using grpc::StatusCode;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

/// Shorter than three attempts look for a server; three random waits would mostly be over by then.
constexpr milliseconds k_outage(1500);

/// The program while its server goes away and comes back.
class OutageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = (std::filesystem::temp_directory_path() / "parley-out-XXXXXX").string();
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
    file_ = (directory_ / "lines").string();
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  ProgramRun run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--address", server_.address()});
    return run_program(arguments);
  }
  void come_back_after_outage() {
    std::this_thread::sleep_for(k_outage);
    server_.start();
  }
  /// The server is away when the program begins.
  ProgramRun run_into_outage(const std::vector<std::string>& arguments) {
    server_.stop();
    std::thread back([this] { come_back_after_outage(); });
    auto done = run(arguments);
    back.join();
    return done;
  }
  void write_lines(int count) {
    std::ofstream out(file_);
    for (int i = 0; i < count; ++i) out << "line-" << i << '\n';
  }

  FakeServer server_;
  std::filesystem::path directory_;
  std::string file_;
};

TEST_F(OutageTest, EveryVerbBridgesARestart) {
  write_lines(3);
  const std::vector<std::vector<std::string>> verbs = {{"append", "t", "hi"},
                                                       {"get", "t"},
                                                       {"tail", "t", "--once"},
                                                       {"export", "-t", "a"},
                                                       {"import", file_}};
  for (const auto& verb : verbs) {
    const auto done = run_into_outage(verb);
    EXPECT_EQ(done.code, 0) << verb[0] << ": " << done.err;
  }
  EXPECT_EQ(server_.appends.size(), 1u);
  EXPECT_EQ(server_.imported.size(), 3u);
}

TEST_F(OutageTest, HealthFindsAServerThatComesBack) {
  const auto done = run_into_outage({"server", "health", "--wait", "4s"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("serving"));
}

TEST_F(OutageTest, ImportGoesOnWhereTheServerWentAway) {
  write_lines(500);
  server_.import_hangs_after = 100;
  std::thread outage([this] {
    server_.import_hangs.get_future().wait();
    server_.stop();
    come_back_after_outage();
  });
  const auto done = run({"import", file_});
  outage.join();
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("500 created"));
  EXPECT_EQ(server_.imported.back(), "line-499");
}

TEST_F(OutageTest, TakesACancellationOfNobodysForTheServersGoing) {
  server_.failures = {grpc::Status(StatusCode::CANCELLED, "")};
  EXPECT_EQ(run({"tail", "t", "--once"}).code, 0);
  server_.failures = {grpc::Status(StatusCode::CANCELLED, "")};
  EXPECT_EQ(run({"append", "t", "hi"}).code, 0);
  ASSERT_EQ(server_.appends.size(), 2u);
  EXPECT_EQ(server_.appends[0].request_id(), server_.appends[1].request_id());
  server_.failures = {refusal(StatusCode::CANCELLED, "cancelled", "CANCELLED_BY_SOMEBODY")};
  EXPECT_EQ(run({"append", "t", "hi"}).code, 65);
}

TEST_F(OutageTest, ExportBeginsAFileAgainButNotStdout) {
  server_.export_is_cut_off = true;
  const auto done = run({"export", "-t", "a", "-o", file_});
  EXPECT_EQ(done.code, 0) << done.err;
  std::ifstream in(file_);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(text, "{\"thread_id\":\"a\"}\n");
  server_.exports = 0;
  EXPECT_EQ(run({"export", "-t", "a"}).code, 78);
  EXPECT_EQ(server_.exports, 1);
}

}  // namespace
}  // namespace parley::cli
