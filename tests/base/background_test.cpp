#include "base/background.hpp"

#include <cstdint>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <thread>

#include <gtest/gtest.h>

namespace parley {
namespace {

int priority_here() { return getpriority(PRIO_PROCESS, 0); }

TEST(Background, PutsOneThreadBehindTheOthers) {
  const int before = priority_here();
  int inside = 0;
  int again = 0;
  std::thread([&] {
    work_in_background();
    inside = priority_here();
    work_in_background();
    again = priority_here();
  }).join();
  if (before >= inside) GTEST_SKIP() << "this process runs in the background already";
  EXPECT_EQ(inside, 10);
  EXPECT_EQ(again, inside);
  EXPECT_EQ(priority_here(), before) << "of that thread alone";
}

/// In /proc: in nanoseconds, 0 where this kernel does not tell.
int64_t turn_here() {
  std::ifstream file("/proc/thread-self/sched");
  const std::string name = "se.slice";
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, name.size(), name) == 0) {
      return std::stoll(line.substr(line.find(':') + 1));
    }
  }
  return 0;
}

TEST(Background, ShortTurnsAreOfOneThreadAlone) {
  const int64_t before = turn_here();
  int64_t inside = 0;
  int priority = 0;
  std::thread([&] {
    take_short_turns();
    inside = turn_here();
    priority = priority_here();
  }).join();
  EXPECT_EQ(priority, priority_here());
  EXPECT_EQ(turn_here(), before);
  if (inside == before) GTEST_SKIP() << "this kernel has no turns of its own for a thread";
  EXPECT_EQ(inside, 100'000);
}

}  // namespace
}  // namespace parley
