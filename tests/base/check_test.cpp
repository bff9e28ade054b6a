#include "base/check.hpp"

#include <gtest/gtest.h>

TEST(Check, PassesWhatIsTrue) { PARLEY_CHECK(1 + 1 == 2); }

TEST(CheckDeathTest, EndsTheProcessNamingConditionAndPlace) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(PARLEY_CHECK(1 + 1 == 3), "check failed: 1 \\+ 1 == 3 at .*check_test.cpp:");
}
