#include "services/cli/command_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/services/cli/program_run.hpp"

namespace parley::cli {
namespace {

using ::testing::HasSubstr;

TEST(CommandLine, ShowsVersionAndHelpOnStdout) {
  EXPECT_THAT(run_program({"--version"}).out, HasSubstr("parley "));
  const auto help = run_program({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("64 + n"));
  for (const char* verb :
       {"create", "get", "append", "messages", "tail", "list", "fork", "reset", "delete", "update",
        "usage", "import", "export", "backup", "bench", "server", "locate"}) {
    EXPECT_THAT(help.out, HasSubstr(std::string("\n  ") + verb + " ")) << verb;
  }
}

TEST(CommandLine, ExitsWithTwoWhereItMakesNoSense) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"fetch"},
      {"get"},
      {"get", "t", "--messages", "1001"},
      {"get", "t", "--messages", "many"},
      {"append", "t", "hi", "--role", "robot"},
      {"append", "t", "hi", "--metadata", "{"},
      {"append", "t", "hi", "--user", "u"},
      {"append", "t", "hi", "-j"},
      {"update", "t"},
      {"list", "--label", "nothing"},
      {"list", "--state", "asleep"},
      {"usage"},
      {"usage", "record", "t"},
      {"usage", "record", "t", "--cost", "much"},
      {"backup"},
      {"bench"},
      {"export", "--form", "xml"},
      {"messages", "t", "--since", "yesterday"},
      {"--deadline", "soon", "get", "t"},
  };
  for (const auto& arguments : wrong) {
    const auto run = run_program(arguments);
    EXPECT_EQ(run.code, 2) << ::testing::PrintToString(arguments);
    EXPECT_THAT(run.err, HasSubstr("--help")) << ::testing::PrintToString(arguments);
    EXPECT_EQ(run.out, "");
  }
}

TEST(CommandLine, NamesTheVerbThatWentWrong) {
  EXPECT_THAT(run_program({"usage", "record"}).err, HasSubstr("parley: usage record: "));
  EXPECT_THAT(run_program({"append", "t", "--role", "x", "y"}).err,
              HasSubstr("use user, assistant, system or tool"));
}

TEST(CommandLine, SaysWhichServerDoesNotAnswer) {
  const auto run = run_program({"get", "t", "--address", "unix:/nonexistent/parley.sock"});
  EXPECT_EQ(run.code, 78);
  EXPECT_THAT(run.err, HasSubstr("no server answers at unix:/nonexistent/parley.sock"));
  EXPECT_THAT(run.err, HasSubstr("./dev run"));
}

TEST(CommandLine, FailsByItselfWithOne) {
  const auto run = run_program({"import", "/nonexistent/chats.jsonl"});
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("parley: import: /nonexistent/chats.jsonl: No such file"));
}

}  // namespace
}  // namespace parley::cli
