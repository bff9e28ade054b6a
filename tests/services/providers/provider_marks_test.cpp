#include "services/providers/provider_marks.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace parley {
namespace {

std::vector<ProviderMarks> marks() {
  return {{"anthropic", {"anthropic-ratelimit-*"}, {}, {"msg_01"}},
          {"bedrock", {"x-amzn-requestid"}, {}, {"msg_bdrk_"}},
          {"groq", {}, {*JsonPath::parse("x_groq")}, {}}};
}

TEST(Marks, OfHeadersMayBeBeginnings) {
  EXPECT_TRUE(header_matches("anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-*"));
  EXPECT_FALSE(header_matches("x-anthropic-ratelimit-", "anthropic-ratelimit-*"));
  EXPECT_TRUE(header_matches("request-id", "request-id"));
  EXPECT_FALSE(header_matches("request-id-2", "request-id"));
}

TEST(Marks, TellWhoSentAResponse) {
  EXPECT_EQ(recognised(marks(), {{"anthropic-ratelimit-tokens-limit", "1"}}, {}, ""), "anthropic");
  EXPECT_EQ(recognised(marks(), {}, {}, "msg_bdrk_017"), "bedrock");
  const std::vector<Json> documents = {Json::parse(R"({"x_groq": {"id": "req_1"}})")};
  EXPECT_EQ(recognised(marks(), {}, documents, ""), "groq");
  EXPECT_EQ(recognised(marks(), {{"date", "today"}}, {}, "x"), "");
}

TEST(Marks, OfHeadersCountBeforeThoseOfBodies) {
  EXPECT_EQ(recognised(marks(), {{"x-amzn-requestid", "1"}}, {}, "msg_01ABC"), "bedrock");
}

}  // namespace
}  // namespace parley
