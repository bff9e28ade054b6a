#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/services/cli/fake_server.hpp"
#include "tests/services/cli/program_run.hpp"

namespace parley::cli {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The program against a fake server.
class RunTest : public ::testing::Test {
 protected:
  ProgramRun run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), {"--address", server_.address()});
    return run_program(arguments, input);
  }

  FakeServer server_;
};

TEST_F(RunTest, AppendsItsArgumentsAsOneMessage) {
  const auto done = run({"append", "t", "hello", "there", "--tenant", "acme", "-r", "assistant"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, "#1, version 1\n");
  ASSERT_EQ(server_.appends.size(), 1u);
  EXPECT_EQ(server_.appends[0].messages(0).content(), "hello there");
  EXPECT_EQ(server_.appends[0].messages(0).role(), v1::ROLE_ASSISTANT);
  EXPECT_EQ(server_.appends[0].request_id().size(), 36u);
  EXPECT_EQ(server_.tenant, "acme");
  EXPECT_TRUE(server_.had_deadline);
}

TEST_F(RunTest, KeepsBracketsAndCommasOfAMessage) {
  EXPECT_EQ(run({"append", "t", "[1, 2]"}).code, 0);
  EXPECT_EQ(run({"append", "[x]", "t"}).code, 0);
  EXPECT_EQ(server_.appends[0].messages(0).content(), "[1, 2]");
  EXPECT_EQ(server_.appends[1].thread_id(), "[x]");
}

TEST_F(RunTest, AppendsStdinWithoutItsLastNewline) {
  EXPECT_EQ(run({"append", "t", "-"}, "two\nlines\n").code, 0);
  EXPECT_EQ(run({"append", "t", ""}).code, 0);
  EXPECT_EQ(server_.appends[0].messages(0).content(), "two\nlines");
  EXPECT_TRUE(server_.appends[1].messages(0).has_content());
}

TEST_F(RunTest, AppendsNothingOfAnEmptyStdin) {
  const auto done = run({"append", "t"}, "");
  EXPECT_EQ(done.code, 2);
  EXPECT_THAT(done.err, HasSubstr("stdin is empty"));
  EXPECT_EQ(run({"append", "t", "-"}, "\n").code, 2);
  EXPECT_TRUE(server_.appends.empty());
}

TEST_F(RunTest, ErasesWithoutATerminalOnlyWhenItIsSaidBeforehand) {
  for (const char* verb : {"delete", "reset"}) {
    const auto done = run({verb, "t"}, "yes\n");
    EXPECT_EQ(done.code, 2) << verb;
    EXPECT_THAT(done.err, HasSubstr("--yes")) << verb;
  }
  EXPECT_TRUE(server_.deletes.empty());
  EXPECT_EQ(run({"delete", "t", "--yes"}).out, "deleted at version 9\n");
}

TEST_F(RunTest, SaysWhereThereWasNothingToDelete) {
  EXPECT_EQ(run({"delete", "t", "-y", "--allow-missing"}).out, "there was nothing to delete\n");
}

TEST_F(RunTest, NamesAVerbThatThereIsNot) {
  const auto done = run({"frobnicate", "t"});
  EXPECT_EQ(done.code, 2);
  EXPECT_THAT(done.err, HasSubstr("'frobnicate'"));
  EXPECT_THAT(run({"apend", "t", "hi"}).err, HasSubstr("did you mean 'append'?"));
  EXPECT_THAT(run({"backup", "crate"}).err,
              HasSubstr("there is no verb 'backup crate'; did you mean 'backup create'?"));
}

TEST_F(RunTest, AppendsJsonLinesInBatchesWithAnIdEach) {
  std::string lines;
  for (int i = 0; i < 300; ++i) lines += "{\"role\":\"ROLE_USER\",\"content\":\"x\"}\n";
  const auto done = run({"append", "t", "-j", "--expected-version", "0"}, lines);
  EXPECT_EQ(done.code, 0) << done.err;
  ASSERT_EQ(server_.appends.size(), 2u);
  EXPECT_EQ(server_.appends[0].messages_size(), 256);
  EXPECT_EQ(server_.appends[1].messages_size(), 44);
  EXPECT_NE(server_.appends[0].request_id(), server_.appends[1].request_id());
  EXPECT_EQ(server_.appends[0].expected_version(), 0);
  EXPECT_EQ(server_.appends[1].expected_version(), 256);
}

TEST_F(RunTest, RepeatsAnUnavailableChangeWithTheSameRequestId) {
  const auto moving = refusal(StatusCode::UNAVAILABLE, "the shard moves", "SHARD_MOVING");
  server_.failures = {moving, moving};
  const auto done = run({"append", "t", "hi"});
  EXPECT_EQ(done.code, 0) << done.err;
  ASSERT_EQ(server_.appends.size(), 3u);
  EXPECT_EQ(server_.appends[0].request_id(), server_.appends[2].request_id());
}

TEST_F(RunTest, GivesUpAfterThreeMoreAttempts) {
  server_.failures.assign(9, refusal(StatusCode::UNAVAILABLE, "the shard moves", "SHARD_MOVING"));
  const auto done = run({"append", "t", "hi"});
  EXPECT_EQ(done.code, 78);
  EXPECT_EQ(server_.appends.size(), 4u);
  EXPECT_THAT(done.err, HasSubstr("reason: SHARD_MOVING (UNAVAILABLE)"));
}

TEST_F(RunTest, DoesNotRepeatARefusal) {
  server_.failures = {refusal(StatusCode::ABORTED, "the version is 9", "VERSION_MISMATCH")};
  const auto done = run({"append", "t", "hi", "--expected-version", "8"});
  EXPECT_EQ(done.code, 74);
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(server_.appends.size(), 1u);
}

TEST_F(RunTest, PrintsJsonWhereAsked) {
  EXPECT_EQ(run({"get", "t", "--json"}).out, "{\"threadId\":\"t\",\"version\":\"7\"}\n");
  EXPECT_EQ(run({"messages", "t", "--all", "--json"}).out,
            "{\"sequence\":\"1\"}\n{\"sequence\":\"2\"}\n{\"sequence\":\"3\"}\n");
}

TEST_F(RunTest, FollowsPagesOnlyWhenAsked) {
  const auto one = run({"messages", "t", "-r", "user", "-r", "tool"});
  EXPECT_EQ(server_.message_lists.size(), 1u);
  EXPECT_THAT(one.err, HasSubstr("--page-token 2"));
  EXPECT_THAT(server_.message_lists[0].filter().roles(), ElementsAre(v1::ROLE_USER, v1::ROLE_TOOL));
}

TEST_F(RunTest, UpdatesOnlyWhatItNames) {
  const auto done = run({"update", "--label", "a=b", "--label", "c=", "t", "--archive",
                         "--metadata", "{\"k\":null}"});
  EXPECT_EQ(done.code, 0) << done.err;
  ASSERT_EQ(server_.updates.size(), 1u);
  const auto& update = server_.updates[0];
  EXPECT_EQ(update.thread_id(), "t");
  const std::set<std::string> mask(update.update_mask().paths().begin(),
                                   update.update_mask().paths().end());
  EXPECT_EQ(mask, (std::set<std::string>{"labels", "metadata", "state"}));
  EXPECT_EQ(update.conversation().labels().at("c"), "");
  EXPECT_TRUE(update.conversation().metadata().fields().at("k").has_null_value());
}

TEST_F(RunTest, TailsAcrossBrokenStreamsWithoutGapOrDuplicate) {
  server_.watch_breaks_after = 4;
  const auto done = run({"tail", "t", "--once", "--json"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(server_.watched_after, ElementsAre(0, 4, 8));
  for (int version = 1; version <= 10; ++version) {
    const std::string wanted = "{\"version\":\"" + std::to_string(version) + "\"";
    const size_t first = done.out.find(wanted);
    ASSERT_NE(first, std::string::npos) << version;
    EXPECT_EQ(done.out.find(wanted, first + 1), std::string::npos) << version;
  }
  EXPECT_FALSE(server_.had_deadline);
}

TEST_F(RunTest, TailGoesOnAfterBeingTooSlowButNotAfterOtherLimits) {
  server_.failures = {refusal(StatusCode::RESOURCE_EXHAUSTED, "slow", "WATCHER_TOO_SLOW")};
  EXPECT_EQ(run({"tail", "t", "--once", "-a", "3"}).code, 0);
  EXPECT_THAT(server_.watched_after, ElementsAre(3));
  server_.failures = {refusal(StatusCode::RESOURCE_EXHAUSTED, "many", "TOO_MANY_WATCHERS")};
  EXPECT_EQ(run({"tail", "t", "--once"}).code, 72);
}

TEST_F(RunTest, BenchMakesItsOwnConversationsAndCounts) {
  const auto done = run({"bench", "append", "--keep", "--conversations", "5", "--in-flight", "3",
                         "--seconds", "20ms", "--size", "1k", "--json"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("\"bench\":\"append\""));
  EXPECT_THAT(done.out, HasSubstr("\"failed\":0"));
  ASSERT_GE(server_.appends.size(), 5u);
  EXPECT_TRUE(server_.appends[4].has_create_if_missing());
  EXPECT_EQ(server_.appends[0].messages(0).content().size(), 1024u);
}

TEST_F(RunTest, BenchReportsWhatFailed) {
  server_.failures = {grpc::Status::OK,
                      refusal(StatusCode::RESOURCE_EXHAUSTED, "full", "DISK_FULL")};
  const auto done = run({"bench", "append", "--keep", "--conversations", "2", "--seconds", "0"});
  EXPECT_EQ(done.code, 72) << done.err;
  EXPECT_THAT(done.err, HasSubstr("reason: DISK_FULL"));
}

/// A file to import.
class ImportRunTest : public RunTest {
 protected:
  void SetUp() override {
    std::string path = (std::filesystem::temp_directory_path() / "parley-run-XXXXXX").string();
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
    file_ = (directory_ / "in.jsonl").string();
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void write_lines(int count) {
    std::ofstream out(file_);
    for (int i = 0; i < count; ++i) out << "line-" << i << '\n';
  }

  std::filesystem::path directory_;
  std::string file_;
};

TEST_F(ImportRunTest, SendsEveryLineOnce) {
  write_lines(1000);
  const auto done = run({"import", file_, "--window", "16"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("1,000 created, 0 completed, 0 unchanged, 0 refused; 2,000 "));
  EXPECT_EQ(server_.imported.size(), 1000u);
  EXPECT_EQ(server_.imported.back(), "line-999");
}

TEST_F(ImportRunTest, GoesOnAtTheOldestUnansweredLine) {
  write_lines(500);
  server_.import_breaks_after = 100;
  const auto done = run({"import", file_});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("500 created"));
  EXPECT_EQ(server_.imported.size(), 500u);
  EXPECT_EQ(server_.imported[100], "line-100");
}

TEST_F(ImportRunTest, ReportsRefusalsAndFails) {
  const auto done = run({"import", "-"}, "good\nbad\ngood\n");
  EXPECT_EQ(done.code, 1);
  EXPECT_THAT(done.out, HasSubstr("2 created, 0 completed, 0 unchanged, 1 refused"));
  EXPECT_THAT(done.err, HasSubstr("refused: stdin:2: MALFORMED_LINE: it is not JSON"));
}

TEST_F(ImportRunTest, ExportsToAFileThatIsWhole) {
  const auto done = run({"export", "-t", "a", "-t", "b", "-o", file_});
  EXPECT_EQ(done.code, 0) << done.err;
  std::ifstream in(file_);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(text, "{\"thread_id\":\"a\"}\n{\"thread_id\":\"b\"}\n");
  server_.failures = {refusal(StatusCode::DATA_LOSS, "damaged", "STORED_BYTES_DAMAGED")};
  EXPECT_EQ(run({"export", "-t", "c", "-o", file_}).code, 79);
  const auto left = std::filesystem::directory_iterator(directory_);
  EXPECT_EQ(std::distance(left, {}), 1);
  EXPECT_EQ(run({"export", "-t", "a", "--form", "full"}).out,
            "{\"header\":{\"threadId\":\"a\"}}\n");
}

}  // namespace
}  // namespace parley::cli
