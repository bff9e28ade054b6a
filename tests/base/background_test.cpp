#include "base/background.hpp"

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

}  // namespace
}  // namespace parley
