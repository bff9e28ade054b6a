#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parley/v1/provider.pb.h"
#include "tests/integration/one_server.hpp"

namespace parley::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ApiProvider : public OneServer {
 protected:
  template <class Response, class Request>
  static Answer<Response> call(const std::string& method, const Request& request) {
    Answer<Response> answer;
    std::string bytes;
    answer.status = client().call_raw("/parley.v1.ProviderService/" + method,
                                      request.SerializeAsString(), &bytes);
    EXPECT_TRUE(!answer.ok() || answer.value.ParseFromString(bytes));
    return answer;
  }
  static Answer<pb::GetProviderResponse> get(const std::string& name) {
    pb::GetProviderRequest request;
    request.set_provider(name);
    return call<pb::GetProviderResponse>("GetProvider", request);
  }
  static Answer<pb::ExtractMetadataResponse> extract(const pb::ExtractMetadataRequest& request) {
    return call<pb::ExtractMetadataResponse>("ExtractMetadata", request);
  }
};

TEST_F(ApiProvider, ShowsTheCatalogue) {
  const auto all = call<pb::ListProvidersResponse>("ListProviders", pb::ListProvidersRequest{});
  ASSERT_TRUE(all.ok()) << all.status;
  ASSERT_GE(all->providers_size(), 21);
  for (int i = 1; i < all->providers_size(); ++i) {
    EXPECT_LT(all->providers(i - 1).provider(), all->providers(i).provider());
  }
  const auto one = get("Claude");
  ASSERT_TRUE(one.ok()) << one.status;
  EXPECT_EQ(one->provider().provider(), "anthropic");
  EXPECT_FALSE(one->provider().apis(0).reason().empty());
}

TEST_F(ApiProvider, SaysWhoIsNotThere) {
  const auto nobody = get("nobody");
  EXPECT_EQ(nobody.status.code, Code::not_found);
  EXPECT_EQ(nobody.status.reason, "PROVIDER_NOT_FOUND");
  EXPECT_THAT(nobody.status.message, HasSubstr("nobody"));
  const auto nameless = get("");
  EXPECT_EQ(nameless.status.code, Code::invalid_argument);
  EXPECT_THAT(nameless.status.fields, ElementsAre("provider"));
}

TEST_F(ApiProvider, ExtractsFromAnAnswerOfAnySize) {
  // The larger one is read on another thread.
  for (const size_t text_bytes : {10, 200'000}) {
    pb::ExtractMetadataRequest request;
    request.mutable_response()->set_status(200);
    (*request.mutable_response()->mutable_headers())["Request-Id"] = "req_1";
    request.mutable_response()->set_body(
        R"({"id": "msg_1", "type": "message", "model": "claude-x", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": ")" +
        std::string(text_bytes, 'x') + R"("}],
            "usage": {"input_tokens": 3, "cache_read_input_tokens": 7, "output_tokens": 5},
            "ticket": "T-1"})");
    request.set_provider("claude");
    request.add_paths("ticket");
    const auto answer = extract(request);
    ASSERT_TRUE(answer.ok()) << answer.status;
    const auto& found = answer->metadata();
    EXPECT_EQ(found.provider(), "anthropic");
    EXPECT_EQ(found.api(), "messages");
    EXPECT_EQ(found.model(), "claude-x");
    EXPECT_EQ(found.response_id(), "msg_1");
    EXPECT_EQ(found.request_id(), "req_1");
    EXPECT_EQ(found.usage().prompt_tokens(), 10);
    EXPECT_EQ(found.usage().cached_tokens(), 7);
    EXPECT_EQ(found.finish(), pb::ResponseMetadata::FINISH_STOP);
    ASSERT_EQ(found.values_size(), 1);
    EXPECT_EQ(found.values(0).value(), "T-1");
  }
}

TEST_F(ApiProvider, RefusesWhatCannotBeAsked) {
  pb::ExtractMetadataRequest request;
  request.add_paths("a..b");
  const auto answer = extract(request);
  EXPECT_EQ(answer.status.code, Code::invalid_argument);
  EXPECT_EQ(answer.status.reason, "INVALID_FIELD");
  EXPECT_THAT(answer.status.fields, ElementsAre("response", "paths[0]"));
}

}  // namespace
}  // namespace parley::test
