#include "services/cli/arguments.hpp"

#include <set>

#include <gtest/gtest.h>

#include "base/ids.hpp"
#include "services/cli/print.hpp"

namespace parley::cli {
namespace {

TEST(Arguments, ReadRolesAndStatesByName) {
  EXPECT_EQ(*parse_role("user"), v1::ROLE_USER);
  EXPECT_EQ(*parse_role("Assistant"), v1::ROLE_ASSISTANT);
  EXPECT_FALSE(parse_role("unspecified").ok());
  EXPECT_FALSE(parse_role("robot").ok());
  EXPECT_EQ(*parse_state("archived"), v1::CONVERSATION_STATE_ARCHIVED);
  EXPECT_FALSE(parse_state("").ok());
}

TEST(Arguments, ReadLabelsUpToTheFirstEqualsSign) {
  EXPECT_EQ(parse_label("a=b=c")->first, "a");
  EXPECT_EQ(parse_label("a=b=c")->second, "b=c");
  EXPECT_EQ(parse_label("a=")->second, "");
  EXPECT_FALSE(parse_label("a").ok());
  EXPECT_FALSE(parse_label("=b").ok());
}

TEST(Arguments, ReadMoneyExactly) {
  const auto money = parse_money("0.0125 USD");
  ASSERT_TRUE(money.ok());
  EXPECT_EQ(money->currency_code(), "USD");
  EXPECT_EQ(money->units(), 0);
  EXPECT_EQ(money->nanos(), 12'500'000);
  EXPECT_EQ(format_money(*money), "0.0125 USD");
  EXPECT_EQ(format_money(*parse_money("eur -12.5")), "-12.5 EUR");
  EXPECT_EQ(format_money(*parse_money("3USD")), "3 USD");
  for (const char* text :
       {"", "USD", "1.5", "1.0000000001 USD", "1.5 DOLLAR", "1..5 USD", "1. USD"}) {
    EXPECT_FALSE(parse_money(text).ok()) << text;
  }
}

TEST(Arguments, NameTheMessageThatJsonIsNot) {
  v1::Message message;
  EXPECT_TRUE(parse_json(R"({"role":"ROLE_USER","content":"hi"})", &message).ok());
  EXPECT_EQ(message.content(), "hi");
  const Status refused = parse_json(R"({"rolle":1})", &message);
  EXPECT_NE(refused.message().find("Message"), absl::string_view::npos) << refused;
}

TEST(Arguments, MakeValidRequestIdsThatDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string id = fresh_request_id();
    EXPECT_TRUE(parse_uuid("request_id", id).ok()) << id;
    EXPECT_EQ(id[14], '4');
    EXPECT_TRUE(seen.insert(id).second);
  }
}

}  // namespace
}  // namespace parley::cli
