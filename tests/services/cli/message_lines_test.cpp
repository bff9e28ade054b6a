#include "services/cli/message_lines.hpp"

#include <sstream>

#include <gtest/gtest.h>

namespace parley::cli {
namespace {

std::string line(const std::string& content) {
  return R"({"role":"ROLE_USER","content":")" + content + "\"}\n";
}

TEST(MessageLines, CutsAfter256Messages) {
  std::string text;
  for (int i = 0; i < 600; ++i) text += line(std::to_string(i));
  std::istringstream in(text);
  MessageLines lines(in);
  EXPECT_EQ(lines.next_batch()->size(), 256u);
  EXPECT_EQ(lines.next_batch()->size(), 256u);
  const auto last = lines.next_batch();
  ASSERT_EQ(last->size(), 88u);
  EXPECT_EQ(last->back().content(), "599");
  EXPECT_TRUE(lines.next_batch()->empty());
}

TEST(MessageLines, CutsBeforeARequestGrowsTooLarge) {
  std::istringstream in(line(std::string(2 << 20, 'a')) + line(std::string(2 << 20, 'b')) +
                        line("c"));
  MessageLines lines(in);
  EXPECT_EQ(lines.next_batch()->size(), 1u);
  const auto second = lines.next_batch();
  ASSERT_EQ(second->size(), 2u);
  EXPECT_EQ((*second)[1].content(), "c");
}

TEST(MessageLines, HandsOutWhatCameBeforeABadLineAndThenNamesIt) {
  std::istringstream in(line("a") + "\n" + "{oops\n" + line("b"));
  MessageLines lines(in);
  EXPECT_EQ(lines.next_batch()->size(), 1u);
  const auto bad = lines.next_batch();
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(bad.status().message().find("line 3"), absl::string_view::npos) << bad.status();
  EXPECT_FALSE(lines.next_batch().ok());
}

}  // namespace
}  // namespace parley::cli
