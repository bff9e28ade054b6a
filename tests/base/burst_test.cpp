#include "base/burst.hpp"

#include <array>
#include <thread>

#include <gtest/gtest.h>

namespace parley {
namespace {

class CountedSleeper final : public Sleeper {
 public:
  void wake() override { ++wakes; }
  int wakes = 0;
};

TEST(Burst, WakesEachOnceAtItsEnd) {
  CountedSleeper one;
  CountedSleeper other;
  {
    const Burst burst;
    for (int i = 0; i < 5; ++i) Burst::wake_at_end(one);
    Burst::wake_at_end(other);
    EXPECT_EQ(one.wakes, 0);
  }
  EXPECT_EQ(one.wakes, 1);
  EXPECT_EQ(other.wakes, 1);
}

TEST(Burst, WakesAtOnceWhereNoneRuns) {
  CountedSleeper sleeper;
  Burst::wake_at_end(sleeper);
  EXPECT_EQ(sleeper.wakes, 1);
  const Burst burst;
  std::thread([&] { Burst::wake_at_end(sleeper); }).join();
  EXPECT_EQ(sleeper.wakes, 2) << "a burst is of its own thread";
}

TEST(Burst, WakesAtOnceThoseThatItCannotRemember) {
  std::array<CountedSleeper, 20> many;
  {
    const Burst burst;
    for (CountedSleeper& sleeper : many) Burst::wake_at_end(sleeper);
  }
  for (const CountedSleeper& sleeper : many) EXPECT_EQ(sleeper.wakes, 1);
}

}  // namespace
}  // namespace parley
