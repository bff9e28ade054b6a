#include "services/page_token.hpp"

#include <random>

#include <gtest/gtest.h>

#include "tests/services/checked.hpp"

namespace parley {
namespace {

constexpr uint64_t k_query = 0x1234567890abcdef;

TEST(PageToken, ComesBackAsItWent) {
  const MessagesPosition messages{{42}, {7}};
  EXPECT_EQ(value_of(parse_messages_token(make_page_token(messages, k_query), k_query)), messages);
  const ListPosition list{{-5}, "thread@1:x"};
  EXPECT_EQ(value_of(parse_list_token(make_page_token(list, k_query), k_query)), list);
  const UsagePosition usage{{UINT64_MAX}, 255};
  EXPECT_EQ(value_of(parse_usage_token(make_page_token(usage, k_query), k_query)), usage);
}

TEST(PageToken, IsSafeInUrls) {
  const std::string token =
      make_page_token(ListPosition{{INT64_MAX}, std::string(128, '~')}, ~0ULL);
  EXPECT_EQ(
      token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
      std::string::npos);
}

TEST(PageToken, IsBoundToItsQueryAndKind) {
  const std::string token = make_page_token(MessagesPosition{{42}, {7}}, k_query);
  EXPECT_EQ(error_in(parse_messages_token(token, k_query + 1)).reason, "PAGE_TOKEN_INVALID");
  EXPECT_EQ(error_in(parse_usage_token(token, k_query)).reason, "PAGE_TOKEN_INVALID");
  EXPECT_EQ(error_in(parse_list_token(token, k_query)).code, absl::StatusCode::kInvalidArgument);
}

TEST(PageToken, SurvivesNoMutation) {
  const std::string token = make_page_token(ListPosition{{12'345'678}, "abc"}, k_query);
  std::mt19937 random(1);
  for (size_t i = 0; i < token.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string mutant = token;
      mutant[i] = static_cast<char>(byte);
      if (mutant == token) continue;
      ASSERT_TRUE(std::holds_alternative<ApiError>(parse_list_token(mutant, k_query))) << i;
    }
    ASSERT_TRUE(std::holds_alternative<ApiError>(parse_list_token(token.substr(0, i), k_query)));
    ASSERT_TRUE(
        std::holds_alternative<ApiError>(parse_list_token(token + token.substr(i), k_query)));
  }
  for (int i = 0; i < 20'000; ++i) {
    std::string noise(random() % 80, 0);
    for (char& c : noise) c = static_cast<char>(random());
    ASSERT_TRUE(std::holds_alternative<ApiError>(parse_usage_token(noise, k_query)));
  }
  for (const std::string& other :
       {token + "=", token + "\n", " " + token, std::string(1'000'000, 'A')}) {
    ASSERT_TRUE(std::holds_alternative<ApiError>(parse_list_token(other, k_query)));
  }
}

TEST(PageToken, HashesAllButThePageItself) {
  v1::ListMessagesRequest request;
  request.set_thread_id("t");
  const uint64_t hash = query_hash(request, "acme");
  request.set_page_size(7);
  request.set_page_token("x");
  EXPECT_EQ(query_hash(request, "acme"), hash);
  EXPECT_NE(query_hash(request, "other"), hash);
  request.mutable_filter()->add_roles(v1::ROLE_TOOL);
  EXPECT_NE(query_hash(request, "acme"), hash);
  v1::GetUsageRequest usage;
  usage.set_thread_id("t");
  EXPECT_NE(query_hash(usage, "acme"), hash);
}

TEST(PageToken, HashesLabelsInAnyOrder) {
  v1::ListConversationsRequest a;
  v1::ListConversationsRequest b;
  for (int i = 0; i < 8; ++i) {
    (*a.mutable_labels())["key" + std::to_string(i)] = "v";
    (*b.mutable_labels())["key" + std::to_string(7 - i)] = "v";
  }
  EXPECT_EQ(query_hash(a, "t"), query_hash(b, "t"));
}

}  // namespace
}  // namespace parley
