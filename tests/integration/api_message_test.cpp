#include <numeric>

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "tests/integration/one_server.hpp"

namespace parley::test {
namespace {

using testing::ElementsAre;

class ApiMessage : public OneServer {};

/// A message that uses every field a caller may set.
pb::Message rich_message() {
  pb::Message m;
  m.set_message_id("my-id:1");
  m.set_role(pb::ROLE_ASSISTANT);
  m.set_content("Grüße, 世界 \xF0\x9F\x8C\x8D \x01 end");
  m.add_parts()->mutable_text()->set_text("part");
  auto* image = m.add_parts()->mutable_image();
  image->set_media_type("image/png");
  image->set_data(std::string("\x00\xFF\x89PNG", 6));
  auto* file = m.add_parts()->mutable_file();
  file->set_filename("a b.txt");
  file->set_uri("https://example.org/a");
  auto* call = m.add_parts()->mutable_tool_call();
  call->set_tool_call_id("call_1");
  call->set_name("search");
  call->set_arguments("{not json");
  auto* result = m.add_parts()->mutable_tool_result();
  result->set_tool_call_id("call_1");
  result->set_content("");
  auto* reasoning = m.add_parts()->mutable_reasoning();
  reasoning->set_text("because");
  reasoning->mutable_opaque()->set_data(std::string("\x00\x01\xFE", 3));
  reasoning->mutable_opaque()->set_provider("anthropic");
  m.set_name("bot");
  (*m.mutable_metadata()->mutable_fields())["n"].set_number_value(1.5);
  m.mutable_usage()->set_prompt_tokens(7);
  m.mutable_usage()->set_completion_tokens(5);
  m.mutable_usage()->set_total_tokens(12);
  m.mutable_cost()->set_currency_code("USD");
  m.mutable_cost()->set_nanos(250'000'000);
  m.mutable_processing_time()->set_seconds(3);
  m.set_api_calls(2);
  m.set_pinned(true);
  m.set_provider("openai");
  m.set_model("gpt-x");
  m.set_finish_reason("stop");
  m.mutable_provider_response()->set_body("{\"raw\":1}");
  return m;
}

TEST_F(ApiMessage, KeepsEveryFieldAsGiven) {
  const std::string thread = made();
  auto request = append(thread, {});
  *request.add_messages() = rich_message();
  const auto answer = must(request);
  for (int round = 0; round < 2; ++round) {
    pb::Message kept = read_all(client(), thread).at(0);
    EXPECT_EQ(kept.sequence(), 1);
    EXPECT_EQ(kept.version(), answer.version());
    EXPECT_EQ(kept.create_time().seconds(), answer.create_time().seconds());
    kept.clear_sequence();
    kept.clear_version();
    kept.clear_create_time();
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(kept, rich_message()))
        << kept.DebugString();
    restart();
  }
}

TEST_F(ApiMessage, TellsAbsentContentFromEmpty) {
  const std::string thread = made();
  auto request = append(thread, {"", "x"});
  request.mutable_messages(1)->clear_content();
  request.mutable_messages(1)->add_parts()->mutable_text()->set_text("instead");
  must(request);
  const auto messages = read_all(client(), thread);
  EXPECT_TRUE(messages.at(0).has_content());
  EXPECT_FALSE(messages.at(1).has_content());
}

TEST_F(ApiMessage, AppendsWithoutGapsUpToTheLimit) {
  const std::string thread = made();
  std::vector<std::string> texts(256, "x");
  const auto first = must(append(thread, texts));
  EXPECT_EQ(first.first_sequence(), 1);
  EXPECT_EQ(first.last_sequence(), 256);
  EXPECT_EQ(first.version(), 2);
  const auto second = must(append(thread, {"y"}));
  EXPECT_EQ(second.first_sequence(), 257);
  EXPECT_EQ(second.version(), 3);
}

TEST_F(ApiMessage, CreatesWhereItMay) {
  auto request = append(new_thread_id("made-by-append"), {"first"});
  EXPECT_EQ(refused(request).code, Code::not_found);
  request.mutable_create_if_missing()->set_user_id("ada");
  EXPECT_EQ(must(request).version(), 2);
  EXPECT_EQ(must(request).version(), 3);
  EXPECT_EQ(must_get(client(), request.thread_id()).user_id(), "ada");
}

TEST_F(ApiMessage, AnswersARepetitionAsTheFirstTimeAlsoAfterARestart) {
  const std::string thread = made();
  const auto request = with_request_id(append(thread, {"once", "only"}));
  const std::string first = must(request).SerializeAsString();
  must(append(thread, {"later"}));
  EXPECT_EQ(must(request).SerializeAsString(), first);
  restart();
  EXPECT_EQ(must(request).SerializeAsString(), first);
  EXPECT_THAT(texts_of(thread), ElementsAre("once", "only", "later"));
  auto other = request;
  other.mutable_messages(0)->set_content("other");
  const CallStatus status = refused(other);
  EXPECT_EQ(status.code, Code::invalid_argument);
  EXPECT_EQ(status.reason, "REQUEST_ID_REUSED");
  EXPECT_EQ(must_get(client(), thread).version(), 3);
}

TEST_F(ApiMessage, RemembersTheRequestsOfEveryMethod) {
  const std::string thread = made({"a"});
  const auto renaming = with_request_id(rename(thread, "t"));
  const auto using_tokens = with_request_id(usage(thread, 1, 2));
  const auto resetting = with_request_id(reset(thread));
  const auto forking = with_request_id(fork(thread, ""));
  const std::string fork_thread = must(forking).conversation().thread_id();
  const auto renamed = must(renaming).conversation().version();
  const auto used = must(using_tokens).version();
  const auto was_reset = must(resetting).conversation().version();
  const auto version = must_get(client(), thread).version();
  restart();
  EXPECT_EQ(must(forking).conversation().thread_id(), fork_thread);
  EXPECT_EQ(must(using_tokens).version(), used);
  must(renaming);
  must(resetting);
  EXPECT_LT(renamed, used);
  EXPECT_LT(used, was_reset);
  EXPECT_EQ(must_get(client(), thread).version(), version);
}

TEST_F(ApiMessage, ListsBothWaysInPages) {
  std::vector<std::string> texts;
  for (int i = 1; i <= 25; ++i) texts.push_back(std::to_string(i));
  const std::string thread = made(texts);
  for (const auto order : {pb::MESSAGE_ORDER_OLDEST_FIRST, pb::MESSAGE_ORDER_NEWEST_FIRST}) {
    auto request = list(thread, 10);
    request.set_order(order);
    std::vector<std::string> seen;
    std::vector<int> pages;
    do {
      const auto page = must(request);
      pages.push_back(page.messages_size());
      for (const auto& message : page.messages()) seen.push_back(message.content());
      request.set_page_token(page.next_page_token());
      // A token holds while others append.
      must(append(thread, {"later"}));
    } while (!request.page_token().empty() && pages.size() < 4);
    if (order == pb::MESSAGE_ORDER_NEWEST_FIRST) std::reverse(seen.begin(), seen.end());
    const auto begin = std::find(seen.begin(), seen.end(), "1");
    ASSERT_GE(seen.end() - begin, 25);
    EXPECT_EQ(std::vector<std::string>(begin, begin + 25), texts);
  }
}

TEST_F(ApiMessage, RefusesAForeignPageToken) {
  const std::string thread = made({"1", "2", "3"});
  const std::string other = made({"1", "2", "3"});
  const std::string token = must(list(thread, 1)).next_page_token();
  ASSERT_FALSE(token.empty());
  auto request = list(other, 1);
  for (const std::string& bad : {token, token.substr(1), std::string("rubbish"),
                                 std::string("\xC3\xA4"), std::string(100'000, 'A')}) {
    request.set_page_token(bad);
    const CallStatus status = refused(request);
    EXPECT_EQ(status.code, Code::invalid_argument) << status;
    EXPECT_EQ(status.reason, "PAGE_TOKEN_INVALID") << status;
  }
  request = list(thread, 2);
  request.set_page_token(token);
  EXPECT_EQ(must(request).messages(0).content(), "2") << "the size of pages may change";
}

TEST_F(ApiMessage, Filters) {
  const std::string thread = made();
  auto request = append(thread, {"u1", "a1", "u2", "s1"});
  request.mutable_messages(1)->set_role(pb::ROLE_ASSISTANT);
  request.mutable_messages(3)->set_role(pb::ROLE_SYSTEM);
  for (const int i : {0, 2}) {
    (*request.mutable_messages(i)->mutable_metadata()->mutable_fields())["topic"].set_string_value(
        i == 0 ? "x" : "y");
  }
  must(request);
  const auto filtered = [&](const std::function<void(pb::MessageFilter&)>& set) {
    auto wanted = list(thread);
    set(*wanted.mutable_filter());
    const auto page = must(wanted);
    return bodies({page.messages().begin(), page.messages().end()});
  };
  EXPECT_THAT(filtered([](auto& f) { f.add_roles(pb::ROLE_USER); }), ElementsAre("u1", "u2"));
  EXPECT_THAT(filtered([](auto& f) {
                f.add_roles(pb::ROLE_ASSISTANT);
                f.add_roles(pb::ROLE_SYSTEM);
              }),
              ElementsAre("a1", "s1"));
  EXPECT_THAT(filtered([](auto& f) { f.set_from_sequence(3); }), ElementsAre("u2", "s1"));
  EXPECT_THAT(filtered([](auto& f) { f.set_to_sequence(2); }), ElementsAre("u1", "a1"));
  EXPECT_THAT(filtered([](auto& f) {
                (*f.mutable_metadata()->mutable_fields())["topic"].set_string_value("y");
              }),
              ElementsAre("u2"));
  EXPECT_THAT(filtered([](auto& f) { f.mutable_from_time()->set_seconds(4'000'000'000); }),
              ElementsAre());
  EXPECT_THAT(filtered([](auto& f) { f.mutable_to_time()->set_seconds(1'000); }), ElementsAre());
}

TEST_F(ApiMessage, AddsUpUsageAndMoneyExactly) {
  const std::string thread = made();
  auto request = append(thread, {"a", "b"});
  for (pb::Message& message : *request.mutable_messages()) {
    message.set_model("m1");
    message.mutable_usage()->set_prompt_tokens(100);
    message.mutable_usage()->set_completion_tokens(11);
    message.mutable_cost()->set_currency_code("USD");
    message.mutable_cost()->set_nanos(600'000'001);
  }
  must(request);
  auto extra = usage(thread, 5, 6);
  extra.set_model("m2");
  extra.mutable_cost()->set_currency_code("EUR");
  extra.mutable_cost()->set_units(3);
  must(extra);
  pb::GetUsageRequest wanted;
  wanted.set_thread_id(thread);
  wanted.set_page_size(2);
  const auto first = must(wanted);
  EXPECT_EQ(first.total().prompt_tokens(), 205);
  EXPECT_EQ(first.total().completion_tokens(), 28);
  EXPECT_EQ(first.total().total_tokens(), 233);
  ASSERT_EQ(first.total_cost_size(), 2);
  for (const pb::Money& money : first.total_cost()) {
    EXPECT_EQ(money.units(), money.currency_code() == "USD" ? 1 : 3);
    EXPECT_EQ(money.nanos(), money.currency_code() == "USD" ? 200'000'002 : 0);
  }
  ASSERT_EQ(first.by_model_size(), 2);
  EXPECT_EQ(first.by_model(0).model(), "m1");
  EXPECT_EQ(first.by_model(0).usage().total_tokens(), 222);
  EXPECT_EQ(first.by_model(1).model(), "m2");
  ASSERT_EQ(first.records_size(), 2);
  EXPECT_EQ(first.records(0).sequence(), 1);
  EXPECT_EQ(first.records(1).sequence(), 2);
  wanted.set_page_token(first.next_page_token());
  const auto second = must(wanted);
  ASSERT_EQ(second.records_size(), 1);
  EXPECT_EQ(second.records(0).sequence(), 0);
  EXPECT_EQ(second.records(0).usage().prompt_tokens(), 5);
  EXPECT_TRUE(second.next_page_token().empty());
  EXPECT_EQ(must_get(client(), thread).usage().total_tokens(), 233);
}

}  // namespace
}  // namespace parley::test
