#include "services/cli/print.hpp"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/cli/console.hpp"

namespace parley::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::Message message() {
  v1::Message m;
  m.set_sequence(3);
  m.set_role(v1::ROLE_ASSISTANT);
  m.set_content("two\nlines");
  m.mutable_create_time()->set_seconds(1'700'000'000);
  return m;
}

TEST(Print, ShowsAMessageWithItsHeadAndIndentedText) {
  std::ostringstream out;
  print_message(out, message(), Style{});
  EXPECT_EQ(out.str(), "#3 assistant  2023-11-14 22:13:20Z\n  two\n  lines\n");
}

TEST(Print, ShowsPartsThatAreNotText) {
  v1::Message m = message();
  m.clear_content();
  auto* call = m.add_parts()->mutable_tool_call();
  call->set_tool_call_id("c1");
  call->set_name("weather");
  call->set_arguments("{\"city\":\"Rome\"}");
  auto* image = m.add_parts()->mutable_image();
  image->set_media_type("image/png");
  image->set_data("12345");
  m.add_parts();
  std::ostringstream out;
  print_message(out, m, Style{});
  EXPECT_THAT(out.str(), HasSubstr("[call c1] weather({\"city\":\"Rome\"})"));
  EXPECT_THAT(out.str(), HasSubstr("[image image/png 5 B]"));
  EXPECT_THAT(out.str(), HasSubstr("[empty part]"));
}

TEST(Print, NeverLetsAMessageSteerTheTerminal) {
  v1::Message m = message();
  m.set_content("\033]0;owned\007");
  m.set_name("\033[2J");
  std::ostringstream out;
  print_message(out, m, Style{});
  EXPECT_THAT(out.str(), Not(HasSubstr("\033")));
}

TEST(Print, UsesColoursOnlyWhereTheyAreWanted) {
  std::ostringstream plain;
  std::ostringstream coloured;
  print_message(plain, message(), Style{false});
  print_message(coloured, message(), Style{true});
  EXPECT_THAT(plain.str(), Not(HasSubstr("\033")));
  EXPECT_THAT(coloured.str(), HasSubstr("\033["));
}

TEST(Print, LeavesOutWhatAConversationDoesNotHave) {
  v1::Conversation conversation;
  conversation.set_thread_id("t1");
  conversation.set_state(v1::CONVERSATION_STATE_ACTIVE);
  conversation.set_version(4);
  std::ostringstream out;
  print_conversation(out, conversation, Style{});
  EXPECT_THAT(out.str(), HasSubstr("thread    t1\n"));
  EXPECT_THAT(out.str(), HasSubstr("state     active\n"));
  EXPECT_THAT(out.str(), Not(HasSubstr("title")));
}

TEST(Print, LinesUpColumnsWithWideCharacters) {
  Table table({"A", "B"});
  table.add({"你好", "x"});
  table.add({"abc", "y"});
  std::ostringstream out;
  table.print(out, Style{});
  EXPECT_EQ(out.str(), "A     B\n你好  x\nabc   y\n");
}

TEST(Print, WritesTheApisJsonOnOneLine) {
  v1::Message m = message();
  EXPECT_EQ(*to_json(m), R"({"sequence":"3","role":"ROLE_ASSISTANT","content":"two\nlines",)"
                         R"("createTime":"2023-11-14T22:13:20Z"})");
}

TEST(Print, AddsUpTokensInWords) {
  v1::TokenUsage usage;
  EXPECT_EQ(format_usage(usage), "");
  usage.set_prompt_tokens(1200);
  usage.set_completion_tokens(30);
  usage.set_total_tokens(1230);
  usage.set_cached_tokens(1000);
  EXPECT_EQ(format_usage(usage), "1,200 prompt + 30 completion = 1,230 tokens (1,000 cached)");
}

}  // namespace
}  // namespace parley::cli
