#include "services/cli/latency_histogram.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace parley::cli {
namespace {

TEST(LatencyHistogram, IsExactForSmallValues) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 10; ++i) histogram.add(Micros(i));
  EXPECT_EQ(histogram.quantile(0.5), Micros(5));
  EXPECT_EQ(histogram.quantile(1.0), Micros(10));
  EXPECT_EQ(histogram.max(), Micros(10));
  EXPECT_EQ(histogram.mean(), Micros(5));
}

TEST(LatencyHistogram, IsRightToAFewPercentAtAnySize) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(0, 9);
  LatencyHistogram histogram;
  std::vector<int64_t> all;
  for (int i = 0; i < 20'000; ++i) {
    all.push_back(static_cast<int64_t>(std::pow(10.0, exponent(random))));
    histogram.add(Micros(all.back()));
  }
  std::sort(all.begin(), all.end());
  for (const double part : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const auto exact = static_cast<double>(all[static_cast<size_t>(part * 20'000) - 1]);
    const auto told = static_cast<double>(histogram.quantile(part).count());
    EXPECT_GE(told, exact) << part;
    EXPECT_LE(told, exact * 1.04 + 1) << part;
  }
}

TEST(LatencyHistogram, AddsUpAndHoldsExtremes) {
  LatencyHistogram one;
  LatencyHistogram other;
  one.add(Micros(-5));
  other.add(Micros(INT64_MAX));
  one.add(other);
  EXPECT_EQ(one.count(), 2u);
  EXPECT_EQ(one.quantile(0.1), Micros(0));
  EXPECT_EQ(one.max(), Micros(INT64_MAX));
  EXPECT_EQ(LatencyHistogram().quantile(0.99), Micros(0));
}

}  // namespace
}  // namespace parley::cli
