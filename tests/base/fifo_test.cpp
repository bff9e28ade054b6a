#include "base/fifo.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <random>

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(Fifo, DoesAsADequeDoes) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same every time
  Fifo<int> fifo;
  std::deque<int> deque;
  for (int i = 0; i < 20'000; ++i) {
    // Now and then it grows long, now and then it runs empty.
    const bool in = random() % 100 < (i / 500 % 2 == 0 ? 70U : 30U);
    if (in) {
      fifo.push_back(i);
      deque.push_back(i);
    } else if (!deque.empty()) {
      ASSERT_EQ(fifo.pop_front(), deque.front());
      deque.pop_front();
    }
    ASSERT_EQ(fifo.size(), deque.size());
    ASSERT_EQ(fifo.empty(), deque.empty());
    if (deque.empty()) continue;
    ASSERT_EQ(fifo.front(), deque.front());
    ASSERT_EQ(fifo.back(), deque.back());
    ASSERT_TRUE(std::equal(fifo.begin(), fifo.end(), deque.begin(), deque.end()));
  }
}

TEST(Fifo, LetsGoOfWhatLeft) {
  Fifo<std::shared_ptr<int>> fifo;
  const auto item = std::make_shared<int>(1);
  for (int i = 0; i < 100; ++i) fifo.push_back(item);
  for (int i = 0; i < 99; ++i) fifo.pop_front();
  EXPECT_EQ(item.use_count(), 2);
  fifo.clear();
  EXPECT_EQ(item.use_count(), 1);
  EXPECT_TRUE(fifo.empty());
}

}  // namespace
}  // namespace parley
