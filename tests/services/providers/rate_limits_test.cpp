#include "services/providers/rate_limits.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(RateLimits, AreReadInBothOrdersOfTheirNames) {
  EXPECT_THAT(rate_limits({{"x-ratelimit-limit-requests", "2500"},
                           {"x-ratelimit-remaining-requests", "2499"},
                           {"x-ratelimit-reset-requests", "6m0s"}}),
              ElementsAre(RateLimit{"requests", 2'500, 2'499, "6m0s", 360'000}));
  EXPECT_THAT(rate_limits({{"anthropic-ratelimit-input-tokens-limit", "20000000"},
                           {"anthropic-ratelimit-input-tokens-remaining", "19998000"},
                           {"anthropic-ratelimit-input-tokens-reset", "2025-07-03T18:18:16Z"}}),
              ElementsAre(RateLimit{"input-tokens", 20'000'000, 19'998'000, "2025-07-03T18:18:16Z",
                                    std::nullopt}));
  EXPECT_THAT(rate_limits({{"x-ratelimit-limit", "20"}, {"x-ratelimit-reset", "1741305600000"}}),
              ElementsAre(RateLimit{"requests", 20, std::nullopt, "1741305600000", std::nullopt}));
}

TEST(RateLimits, AreNotOtherHeaders) {
  EXPECT_THAT(rate_limits({{"x-ratelimit-key", "gpt-5"},
                           {"x-ratelimit-abusepenalty-active", "False"},
                           {"x-request-id", "r"}}),
              IsEmpty());
}

TEST(Durations, AreReadInMilliseconds) {
  EXPECT_EQ(duration_millis("6m0s"), 360'000);
  EXPECT_EQ(duration_millis("2ms"), 2);
  EXPECT_EQ(duration_millis("1.5s"), 1'500);
  EXPECT_EQ(duration_millis("1h2m3s"), 3'723'000);
  EXPECT_EQ(duration_millis("12"), 12'000);
  EXPECT_EQ(duration_millis("0"), 0);
  for (const char* text : {"", "s", "1x", "2026-01-01T00:00:00Z", "-1s", "1767225600"}) {
    EXPECT_EQ(duration_millis(text), std::nullopt) << text;
  }
}

TEST(RetryAfter, IsExactWhereItCanBe) {
  EXPECT_EQ(retry_after_millis({{"retry-after", "3"}}), 3'000);
  EXPECT_EQ(retry_after_millis({{"retry-after", "3"}, {"retry-after-ms", "250"}}), 250);
  EXPECT_EQ(retry_after_millis({{"retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"}}), std::nullopt);
  EXPECT_EQ(retry_after_millis({}), std::nullopt);
}

}  // namespace
}  // namespace parley
