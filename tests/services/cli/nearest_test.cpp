#include "services/cli/nearest.hpp"

#include <gtest/gtest.h>

namespace parley::cli {
namespace {

TEST(Nearest, FindsTheWordThatWasMeant) {
  const std::vector<std::string> verbs = {"append", "create", "delete", "get", "list", "reset"};
  EXPECT_EQ(nearest_word("apend", verbs), "append");
  EXPECT_EQ(nearest_word("lsit", verbs), "list");
  EXPECT_EQ(nearest_word("crate", verbs), "create");
  EXPECT_EQ(nearest_word("gets", verbs), "get");
  EXPECT_EQ(nearest_word("rest", verbs), "reset");
}

TEST(Nearest, FindsNothingWhereNoneIsLikeIt) {
  EXPECT_EQ(nearest_word("frobnicate", {"append", "create"}), "");
  EXPECT_EQ(nearest_word("x", {"get"}), "");
  EXPECT_EQ(nearest_word("", {"get"}), "");
  EXPECT_EQ(nearest_word("get", {}), "");
}

}  // namespace
}  // namespace parley::cli
