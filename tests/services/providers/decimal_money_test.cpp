#include "services/providers/decimal_money.hpp"

#include <gtest/gtest.h>

namespace parley {
namespace {

Money usd(int64_t units, int32_t nanos) { return {"USD", units, nanos}; }

TEST(DecimalMoney, IsExactToTheBillionth) {
  EXPECT_EQ(dollars("0.01355025"), usd(0, 13'550'250));
  EXPECT_EQ(dollars("0.00219855"), usd(0, 2'198'550));
  EXPECT_EQ(dollars("12"), usd(12, 0));
  EXPECT_EQ(dollars("12.5"), usd(12, 500'000'000));
  EXPECT_EQ(dollars("0"), usd(0, 0));
  EXPECT_EQ(dollars("0.000000001"), usd(0, 1));
}

TEST(DecimalMoney, RoundsWhatIsFinerHalvesUp) {
  EXPECT_EQ(dollars("0.0000000005"), usd(0, 1));
  EXPECT_EQ(dollars("0.00000000049"), usd(0, 0));
  EXPECT_EQ(dollars("0.9999999995"), usd(1, 0));
  EXPECT_EQ(dollars("0.00000000000000000005"), usd(0, 0));
}

TEST(DecimalMoney, KnowsExponentsAndPowers) {
  EXPECT_EQ(dollars("1e-05"), usd(0, 10'000));
  EXPECT_EQ(dollars("1.5E+2"), usd(150, 0));
  // Ticks: ten thousand millions of them are a dollar.
  EXPECT_EQ(dollars("1176500", -10), usd(0, 117'650));
  EXPECT_EQ(dollars("25000000000", -10), usd(2, 500'000'000));
}

TEST(DecimalMoney, RefusesWhatIsNoAmount) {
  for (const char* text : {"", "-1", "abc", "1.2.3", "1e", "1e999", "nan", "1,5", "1e30"}) {
    EXPECT_EQ(dollars(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace parley
