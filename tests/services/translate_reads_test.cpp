#include <gtest/gtest.h>

#include "services/translate.hpp"
#include "tests/services/checked.hpp"

namespace parley {
namespace {

const Limits k_limits;

Message stored(uint64_t sequence, Role role, int64_t micros, const v1::Message& body = {}) {
  return {{sequence},
          {sequence},
          {micros},
          role,
          std::make_shared<const std::string>(body.SerializeAsString())};
}

v1::ListMessagesRequest list_request() {
  v1::ListMessagesRequest request;
  request.set_thread_id("t");
  return request;
}

CompiledFilter compiled(const v1::ListMessagesRequest& request) {
  return value_of(translate(request, "acme", k_limits)).filter;
}

TEST(TranslateReads, FillsInTheDefaultsOfAListing) {
  const MessageListing listing = value_of(translate(list_request(), "acme", k_limits));
  EXPECT_EQ(listing.page_size, 50U);
  EXPECT_FALSE(listing.newest_first);
  EXPECT_FALSE(listing.start);
  EXPECT_FALSE(listing.filter.selective());
  EXPECT_EQ(listing.filter.from, Sequence{1});
  EXPECT_EQ(listing.filter.to, Sequence{UINT64_MAX});
  auto large = list_request();
  large.set_page_size(5'000);
  EXPECT_EQ(value_of(translate(large, "acme", k_limits)).page_size, 1'000U);
}

TEST(TranslateReads, FiltersByRoleSequenceAndTime) {
  auto request = list_request();
  request.mutable_filter()->add_roles(v1::ROLE_USER);
  request.mutable_filter()->add_roles(v1::ROLE_TOOL);
  request.mutable_filter()->set_from_sequence(2);
  request.mutable_filter()->set_to_sequence(4);
  request.mutable_filter()->mutable_from_time()->set_nanos(1'001);
  request.mutable_filter()->mutable_to_time()->set_nanos(5'000);
  const CompiledFilter filter = compiled(request);
  EXPECT_TRUE(filter.selective());
  EXPECT_TRUE(matches(filter, stored(2, Role::user, 2)));
  EXPECT_TRUE(matches(filter, stored(4, Role::tool, 4)));
  EXPECT_FALSE(matches(filter, stored(1, Role::user, 2)));
  EXPECT_FALSE(matches(filter, stored(5, Role::user, 2)));
  EXPECT_FALSE(matches(filter, stored(2, Role::assistant, 2)));
  EXPECT_FALSE(matches(filter, stored(2, Role::user, 1)));  // 1,000 ns is before 1,001 ns
  EXPECT_FALSE(matches(filter, stored(2, Role::user, 5)));
}

TEST(TranslateReads, FiltersByMetadata) {
  v1::Message body;
  auto& fields = *body.mutable_metadata()->mutable_fields();
  fields["a"].set_number_value(1);
  fields["b"].mutable_list_value()->add_values()->set_string_value("x");
  const Message message = stored(1, Role::user, 1, body);
  auto request = list_request();
  auto& wanted = *request.mutable_filter()->mutable_metadata()->mutable_fields();
  wanted["a"].set_number_value(1);
  EXPECT_TRUE(matches(compiled(request), message));
  wanted["b"] = fields["b"];
  EXPECT_TRUE(matches(compiled(request), message));
  EXPECT_FALSE(matches(compiled(request), stored(1, Role::user, 1)));
  wanted["b"].mutable_list_value()->add_values()->set_bool_value(true);
  EXPECT_FALSE(matches(compiled(request), message));
}

TEST(TranslateReads, ContinuesFromItsOwnTokensOnly) {
  auto request = list_request();
  const MessageListing first = value_of(translate(request, "acme", k_limits));
  request.set_page_token(make_page_token(MessagesPosition{{51}, {3}}, first.query));
  request.set_page_size(10);
  EXPECT_EQ(value_of(translate(request, "acme", k_limits)).start, (MessagesPosition{{51}, {3}}));
  EXPECT_EQ(error_in(translate(request, "other", k_limits)).reason, "PAGE_TOKEN_INVALID");
  request.set_order(v1::MESSAGE_ORDER_NEWEST_FIRST);
  EXPECT_EQ(error_in(translate(request, "acme", k_limits)).reason, "PAGE_TOKEN_INVALID");
}

TEST(TranslateReads, ListsConversationsAndUsage) {
  v1::ListConversationsRequest list;
  list.set_user_id("u");
  (*list.mutable_labels())["k"] = "v";
  list.set_state(v1::CONVERSATION_STATE_ARCHIVED);
  const auto first = value_of(translate(list, "acme", k_limits));
  EXPECT_EQ(first.lifecycle, Lifecycle::archived);
  EXPECT_EQ(first.labels.at("k"), "v");
  list.set_page_token(make_page_token(ListPosition{{9}, "x"}, first.query));
  EXPECT_EQ(value_of(translate(list, "acme", k_limits)).after->thread, "x");

  v1::GetUsageRequest usage;
  usage.set_thread_id("t");
  EXPECT_EQ(value_of(translate(usage, "acme", k_limits)).page_size, 0U);
  usage.set_page_size(2'000);
  EXPECT_EQ(value_of(translate(usage, "acme", k_limits)).page_size, 1'000U);
  usage.set_page_token("nonsense");
  EXPECT_EQ(error_in(translate(usage, "acme", k_limits)).reason, "PAGE_TOKEN_INVALID");
}

TEST(TranslateReads, TellsUsageByRecord) {
  const Charge charge{.usage = {1, 2, 3, 0, 0, 0}, .cost = Money{"EUR", 1, 0}, .model = "m"};
  Event appended{{5}, {7}, {}, MessagesAppended{.first = {10}, .bytes = 0, .messages = {}}};
  auto& messages = std::get<MessagesAppended>(appended.body).messages;
  messages = {{Role::user, nullptr, {}}, {Role::assistant, nullptr, charge}};
  const auto records = usage_records(appended);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].sequence(), 11);
  EXPECT_EQ(records[0].version(), 5);
  EXPECT_EQ(records[0].usage().total_tokens(), 3);
  EXPECT_EQ(records[0].cost().units(), 1);
  const auto recorded = usage_records(Event{{6}, {8}, {}, UsageRecorded{{.model = "n"}}});
  ASSERT_EQ(recorded.size(), 1U);
  EXPECT_EQ(recorded[0].sequence(), 0);
  EXPECT_FALSE(recorded[0].has_cost());
  EXPECT_TRUE(usage_records(Event{{6}, {8}, {}, ConversationReset{}}).empty());
}

TEST(TranslateReads, ConvertsTimesBothWays) {
  for (const int64_t micros : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{1'700'000'000'123'456},
                               int64_t{-62'135'596'800'000'000}}) {
    google::protobuf::Timestamp time;
    fill_time({micros}, time);
    EXPECT_GE(time.nanos(), 0);
    EXPECT_EQ(wall_time(time).micros, micros);
  }
}

}  // namespace
}  // namespace parley
