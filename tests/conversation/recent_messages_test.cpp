#include "conversation/recent_messages.hpp"

#include <gtest/gtest.h>

#include "tests/support/builders.hpp"

namespace parley {
namespace {

Message numbered(uint64_t sequence, size_t bytes = 1) {
  return {{sequence}, {sequence}, {}, Role::user, build::body(std::string(bytes, 'x'))};
}

TEST(RecentMessages, KeepsTheNewestUpToTheirNumber) {
  RecentMessages recent;
  recent.bound(3, 1000);
  for (uint64_t i = 1; i <= 5; ++i) recent.push(numbered(i));
  ASSERT_EQ(recent.size(), 3U);
  EXPECT_EQ(recent.all().front().sequence, Sequence{3});
  EXPECT_EQ(recent.all().back().sequence, Sequence{5});
  EXPECT_EQ(recent.bytes(), 3U);
}

TEST(RecentMessages, KeepsWithinItsBytes) {
  RecentMessages recent;
  recent.bound(100, 10);
  recent.push(numbered(1, 6));
  recent.push(numbered(2, 4));
  EXPECT_EQ(recent.size(), 2U);
  recent.push(numbered(3, 1));
  ASSERT_EQ(recent.size(), 2U);
  EXPECT_EQ(recent.all().front().sequence, Sequence{2});
  EXPECT_EQ(recent.bytes(), 5U);
  recent.push(numbered(4, 11));
  EXPECT_TRUE(recent.empty());
  EXPECT_EQ(recent.bytes(), 0U);
}

TEST(RecentMessages, ShrinksWithItsBoundsAndClears) {
  RecentMessages recent;
  for (uint64_t i = 1; i <= 20; ++i) recent.push(numbered(i));
  recent.bound(2, 1000);
  EXPECT_EQ(recent.size(), 2U);
  recent.bound(0, 1000);
  EXPECT_TRUE(recent.empty());
  recent.bound(10, 1000);
  recent.push(numbered(21));
  recent.clear();
  EXPECT_TRUE(recent.empty());
  EXPECT_EQ(recent.bytes(), 0U);
}

}  // namespace
}  // namespace parley
