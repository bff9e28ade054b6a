#include "conversation/dedup.hpp"

#include <gtest/gtest.h>

#include "tests/support/builders.hpp"

namespace parley {
namespace {

using build::id;

DedupEntry entry(uint64_t number) { return {id(number), number, {.version = {number}}}; }

TEST(DedupWindow, FindsWhatItRemembers) {
  DedupWindow window;
  EXPECT_TRUE(window.empty());
  EXPECT_FALSE(window.find(id(1)).has_value());
  window.remember(entry(1), 10);
  ASSERT_TRUE(window.find(id(1)).has_value());
  EXPECT_EQ(window.find(id(1))->receipt.version, Version{1});
  EXPECT_FALSE(window.find(id(2)).has_value());
}

// Crosses the change from scanning to an index, at several bounds, and the ring's end.
TEST(DedupWindow, KeepsExactlyTheNewestOfEveryBound) {
  for (const uint64_t bound : {1U, 2U, 15U, 16U, 17U, 60U, 200U}) {
    DedupWindow window;
    for (uint64_t i = 1; i <= 500; ++i) {
      window.remember(entry(i), bound);
      ASSERT_EQ(window.size(), std::min(i, bound));
      ASSERT_TRUE(window.find(id(i)).has_value());
      const uint64_t oldest = i - window.size() + 1;
      ASSERT_TRUE(window.find(id(oldest)).has_value()) << bound << " " << i;
      ASSERT_FALSE(window.find(id(oldest - 1)).has_value()) << bound << " " << i;
      ASSERT_EQ(window.at(0).request, id(oldest));
    }
  }
}

TEST(DedupWindow, FindsTheNewerOfTwoEntriesOfOneRequest) {
  for (const uint64_t others : {0U, 30U}) {
    DedupWindow window;
    window.remember({id(7), 1, {.version = {1}}}, 1000);
    for (uint64_t i = 100; i < 100 + others; ++i) window.remember(entry(i), 1000);
    window.remember({id(7), 2, {.version = {2}}}, 1000);
    ASSERT_EQ(window.find(id(7))->digest, 2U);
    // The older one leaves the window, the newer one stays.
    window.trim(window.size() - 1);
    ASSERT_TRUE(window.find(id(7)).has_value());
    EXPECT_EQ(window.find(id(7))->digest, 2U);
  }
}

TEST(DedupWindow, TrimsTheOldestButNeverTheNewest) {
  DedupWindow window;
  for (uint64_t i = 1; i <= 50; ++i) window.remember(entry(i), 100);
  window.trim(3);
  EXPECT_EQ(window.size(), 3U);
  EXPECT_FALSE(window.find(id(47)).has_value());
  EXPECT_TRUE(window.find(id(48)).has_value());
  window.trim(0);
  EXPECT_EQ(window.size(), 1U);
  EXPECT_TRUE(window.find(id(50)).has_value());
}

TEST(DedupWindow, IsEqualByContentNotByHowItCameAbout) {
  DedupWindow lived;
  DedupWindow loaded;
  for (uint64_t i = 1; i <= 100; ++i) lived.remember(entry(i), 30);
  for (uint64_t i = 71; i <= 100; ++i) loaded.remember(entry(i), 30);
  EXPECT_EQ(lived, loaded);
  loaded.remember(entry(101), 30);
  EXPECT_FALSE(lived == loaded);
}

TEST(DedupWindow, DoesNotGrowBeyondItsBound) {
  DedupWindow window;
  for (uint64_t i = 1; i <= 1000; ++i) window.remember(entry(i), 100);
  const size_t bytes = window.memory_bytes();
  for (uint64_t i = 1001; i <= 20'000; ++i) window.remember(entry(i), 100);
  EXPECT_LE(window.memory_bytes(), bytes * 2);
  window.clear();
  EXPECT_TRUE(window.empty());
  EXPECT_FALSE(window.find(id(20'000)).has_value());
}

}  // namespace
}  // namespace parley
