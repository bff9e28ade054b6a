#include "services/translate_provider.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> refused_fields(const std::optional<ApiError>& error) {
  std::vector<std::string> fields;
  if (error) {
    EXPECT_EQ(error->reason, "INVALID_FIELD");
    for (const auto& violation : error->violations) fields.push_back(violation.field);
  }
  return fields;
}

v1::ExtractMetadataRequest a_request() {
  v1::ExtractMetadataRequest request;
  request.mutable_response()->set_body("{}");
  return request;
}

TEST(AnExtractionsRequest, NeedsAResponseWithinItsBounds) {
  EXPECT_THAT(refused_fields(validate(a_request(), Limits{})), IsEmpty());
  EXPECT_THAT(refused_fields(validate(v1::ExtractMetadataRequest{}, Limits{})),
              ElementsAre("response"));
  auto request = a_request();
  request.mutable_response()->set_status(600);
  (*request.mutable_response()->mutable_headers())["x"] = std::string(5'000, 'x');
  request.set_provider(std::string(200, 'p'));
  EXPECT_THAT(refused_fields(validate(request, Limits{})),
              ElementsAre("response.headers", "response.status", "provider"));
  auto many = a_request();
  for (int i = 0; i < 65; ++i) {
    (*many.mutable_response()->mutable_headers())["h" + std::to_string(i)] = "v";
  }
  EXPECT_THAT(refused_fields(validate(many, Limits{})), ElementsAre("response.headers"));
}

TEST(AnExtractionsRequest, NamesThePathThatIsNone) {
  auto request = a_request();
  request.add_paths("metadata.ticket");
  request.add_paths("a..b");
  EXPECT_THAT(refused_fields(validate(request, Limits{})), ElementsAre("paths[1]"));
  auto many = a_request();
  for (int i = 0; i < 65; ++i) many.add_paths("a");
  EXPECT_THAT(refused_fields(validate(many, Limits{})), ElementsAre("paths"));
}

TEST(AProvidersRequest, NeedsAName) {
  EXPECT_THAT(refused_fields(validate(v1::GetProviderRequest{}, Limits{})),
              ElementsAre("provider"));
}

TEST(AnExtractionsAnswer, HasEverythingThatWasFound) {
  auto request = a_request();
  request.mutable_response()->set_status(429);
  request.mutable_response()->set_body(
      R"({"id": "r1", "error": {"code": "slow_down", "message": "no"}, "ticket": "T-1",
          "usage": {"prompt_tokens": 3, "completion_tokens": 2, "cost": 0.5}})");
  (*request.mutable_response()->mutable_headers())["Retry-After"] = "2";
  (*request.mutable_response()->mutable_headers())["X-RateLimit-Remaining-Requests"] = "0";
  request.add_paths("ticket");
  const ExtractionOrder order(request);
  v1::ResponseMetadata metadata;
  fill_metadata(extract(order.response, {order.wanted, {}, {}}), 429, metadata);
  EXPECT_EQ(metadata.form(), v1::ResponseMetadata::FORM_JSON);
  EXPECT_EQ(metadata.response_id(), "r1");
  EXPECT_EQ(metadata.usage().total_tokens(), 5);
  EXPECT_FALSE(metadata.has_billed_usage());
  EXPECT_EQ(metadata.counts().at("prompt_tokens"), 3);
  EXPECT_EQ(metadata.cost().nanos(), 500'000'000);
  EXPECT_EQ(metadata.error().code(), "slow_down");
  EXPECT_EQ(metadata.error().status(), 429);
  EXPECT_EQ(metadata.retry_after_ms(), 2'000);
  ASSERT_EQ(metadata.rate_limits_size(), 1);
  EXPECT_EQ(metadata.rate_limits(0).remaining(), 0);
  EXPECT_FALSE(metadata.rate_limits(0).has_limit());
  ASSERT_EQ(metadata.values_size(), 1);
  EXPECT_EQ(metadata.values(0).value(), "T-1");
  EXPECT_EQ(metadata.finish(), v1::ResponseMetadata::FINISH_UNSPECIFIED);
}

}  // namespace
}  // namespace parley
