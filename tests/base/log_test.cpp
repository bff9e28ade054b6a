#include "base/log.hpp"

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(Log, KeepsALineOneJsonString) {
  EXPECT_EQ(escape_json("a \"b\" \\ c\n\x1b[31m"), R"(a \"b\" \\ c\u000a\u001b[31m)");
  EXPECT_EQ(escape_json("a\xff"
                        "b\xc0\x80 cut \xe2\x82"),
            R"(a\ufffdb\ufffd\ufffd cut \ufffd\ufffd)");
  EXPECT_EQ(escape_json("größer, 日本"), "größer, 日本");
}

}  // namespace
}  // namespace parley
