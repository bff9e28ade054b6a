#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/one_server.hpp"

namespace parley::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

class ApiConversation : public OneServer {};

void set_text(google::protobuf::Struct& metadata, const std::string& key,
              const std::string& value) {
  (*metadata.mutable_fields())[key].set_string_value(value);
}

TEST_F(ApiConversation, CreatesWithEverythingAndGetsItBack) {
  auto request = create(new_thread_id("full"), "ada");
  request.set_title("A title");
  set_text(*request.mutable_metadata(), "colour", "blue");
  (*request.mutable_labels())["team"] = "red";
  request.mutable_policy()->set_hot_window_messages(7);
  const pb::CreateConversationResponse created = must(request);
  EXPECT_TRUE(created.created());
  for (const pb::Conversation& c :
       {created.conversation(), must_get(client(), request.thread_id())}) {
    EXPECT_EQ(c.thread_id(), request.thread_id());
    EXPECT_EQ(c.user_id(), "ada");
    EXPECT_EQ(c.title(), "A title");
    EXPECT_EQ(c.version(), 1);
    EXPECT_EQ(c.message_count(), 0);
    EXPECT_EQ(c.metadata().fields().at("colour").string_value(), "blue");
    EXPECT_EQ(c.labels().at("team"), "red");
    EXPECT_EQ(c.policy().hot_window_messages(), 7);
    EXPECT_EQ(c.state(), pb::CONVERSATION_STATE_ACTIVE);
    EXPECT_GT(c.create_time().seconds(), 0);
    EXPECT_EQ(c.create_time().seconds(), c.last_activity_time().seconds());
  }
}

TEST_F(ApiConversation, MakesAnIdWhereNoneIsGiven) {
  const std::string first = must(create("")).conversation().thread_id();
  const std::string second = must(create("")).conversation().thread_id();
  EXPECT_FALSE(first.empty());
  EXPECT_NE(first, second);
  EXPECT_EQ(must_get(client(), first).version(), 1);
}

TEST_F(ApiConversation, MakesTheSameIdForARepeatedRequest) {
  const auto request = with_request_id(create(""));
  EXPECT_EQ(must(request).conversation().thread_id(), must(request).conversation().thread_id());
}

TEST_F(ApiConversation, RefusesATakenIdUnlessItMayBeThere) {
  const std::string thread = made({"hello"});
  const CallStatus status = refused(create(thread));
  EXPECT_EQ(status.code, Code::already_exists);
  EXPECT_EQ(status.reason, "CONVERSATION_EXISTS");
  auto request = create(thread, "somebody else");
  request.set_user_id("other");
  request.set_get_or_create(true);
  const auto found = must(request);
  EXPECT_FALSE(found.created());
  EXPECT_EQ(found.conversation().version(), 2);
  EXPECT_EQ(found.conversation().user_id(), "");
  request.set_thread_id(new_thread_id("fresh"));
  EXPECT_TRUE(must(request).created());
}

TEST_F(ApiConversation, TellsWhatIsMissing) {
  const CallStatus status = refused(get("nobody-made-this"));
  EXPECT_EQ(status.code, Code::not_found);
  EXPECT_EQ(status.reason, "CONVERSATION_NOT_FOUND");
  EXPECT_EQ(refused(append("nobody-made-this", {"x"})).code, Code::not_found);
  EXPECT_EQ(refused(reset("nobody-made-this")).code, Code::not_found);
  EXPECT_EQ(refused(erase("nobody-made-this")).code, Code::not_found);
  EXPECT_EQ(refused(list("nobody-made-this")).code, Code::not_found);
  auto missing = erase("nobody-made-this");
  missing.set_allow_missing(true);
  must(missing);
}

TEST_F(ApiConversation, GetsTheMostRecentMessages) {
  std::vector<std::string> texts;
  for (int i = 0; i < 120; ++i) texts.push_back("text " + std::to_string(i));
  const std::string thread = made(texts);
  for (const int limit : {0, 1, 20, 50, 51, 119, 120, 1000}) {
    const pb::Conversation c = must_get(client(), thread, limit);
    const int expected = std::min(limit, 120);
    ASSERT_EQ(c.messages_size(), expected);
    for (int i = 0; i < expected; ++i) {
      EXPECT_EQ(c.messages(i).content(), texts[static_cast<size_t>(120 - expected + i)]);
      EXPECT_EQ(c.messages(i).sequence(), 120 - expected + i + 1);
    }
    EXPECT_EQ(c.message_count(), 120);
  }
}

TEST_F(ApiConversation, TravelsInTime) {
  const std::string thread = made({"one"});
  must(append(thread, {"two", "three"}));
  must(rename(thread, "later"));
  auto request = get(thread, 10);
  const std::vector<std::pair<int, std::string>> expected = {
      {0, ""}, {1, ""}, {3, ""}, {3, "later"}};
  for (int version = 1; version <= 4; ++version) {
    request.set_as_of_version(version);
    const pb::Conversation c = must(request).conversation();
    EXPECT_EQ(c.version(), version);
    EXPECT_EQ(c.messages_size(), expected[version - 1].first) << version;
    EXPECT_EQ(c.message_count(), expected[version - 1].first) << version;
    EXPECT_EQ(c.title(), expected[version - 1].second) << version;
  }
  request.set_as_of_version(5);
  EXPECT_EQ(refused(request).reason, "VERSION_IN_FUTURE");
  must(reset(thread));
  request.set_as_of_version(2);
  EXPECT_EQ(refused(request).reason, "VERSION_NOT_RETAINED");
  request.set_as_of_version(5);
  EXPECT_EQ(must(request).conversation().message_count(), 0);
}

TEST_F(ApiConversation, AnswersOnlyFromAVersionOn) {
  const std::string thread = made({"one"});
  auto request = get(thread);
  request.set_min_version(2);
  EXPECT_EQ(must(request).conversation().version(), 2);
  request.set_min_version(3);
  const CallStatus status = refused(request);
  EXPECT_EQ(status.code, Code::failed_precondition);
  EXPECT_EQ(status.reason, "VERSION_NOT_REACHED");
  auto messages = list(thread);
  messages.set_min_version(3);
  EXPECT_EQ(refused(messages).reason, "VERSION_NOT_REACHED");
  pb::GetUsageRequest usage_request;
  usage_request.set_thread_id(thread);
  usage_request.set_min_version(3);
  EXPECT_EQ(refused(usage_request).reason, "VERSION_NOT_REACHED");
}

TEST_F(ApiConversation, GetsManyAtOnce) {
  const std::string one = made({"a"});
  const std::string two = made({"b", "c"});
  pb::BatchGetConversationsRequest request;
  for (const std::string& thread : {two, std::string("nobody-made-this"), one}) {
    request.add_thread_ids(thread);
  }
  request.set_message_limit(1);
  const auto answer = must(request);
  ASSERT_EQ(answer.conversations_size(), 2);
  EXPECT_EQ(answer.conversations(0).thread_id(), two);
  EXPECT_EQ(answer.conversations(0).messages(0).content(), "c");
  EXPECT_EQ(answer.conversations(1).thread_id(), one);
  EXPECT_THAT(answer.not_found(), ElementsAre("nobody-made-this"));
}

TEST_F(ApiConversation, UpdatesOnlyWhatTheMaskNames) {
  auto request = create(new_thread_id("u"), "ada");
  request.set_title("old");
  set_text(*request.mutable_metadata(), "keep", "1");
  set_text(*request.mutable_metadata(), "drop", "2");
  (*request.mutable_labels())["keep"] = "1";
  (*request.mutable_labels())["drop"] = "2";
  must(request);
  pb::UpdateConversationRequest update;
  update.set_thread_id(request.thread_id());
  pb::Conversation& wanted = *update.mutable_conversation();
  wanted.set_title("not in the mask");
  set_text(*wanted.mutable_metadata(), "add", "3");
  (*wanted.mutable_metadata()->mutable_fields())["drop"].set_null_value(
      google::protobuf::NULL_VALUE);
  (*wanted.mutable_labels())["drop"] = "";
  (*wanted.mutable_labels())["add"] = "3";
  update.mutable_update_mask()->add_paths("metadata");
  update.mutable_update_mask()->add_paths("labels");
  const pb::Conversation after = must(update).conversation();
  EXPECT_EQ(after.version(), 2);
  EXPECT_EQ(after.title(), "old");
  EXPECT_EQ(after.metadata().fields_size(), 2);
  EXPECT_EQ(after.metadata().fields().at("keep").string_value(), "1");
  EXPECT_EQ(after.metadata().fields().at("add").string_value(), "3");
  EXPECT_THAT(after.labels(), UnorderedElementsAre(Pair("keep", "1"), Pair("add", "3")));
  EXPECT_EQ(must_get(client(), request.thread_id()).SerializeAsString().size(),
            after.SerializeAsString().size());
}

TEST_F(ApiConversation, ArchivesAndTakesUpAgain) {
  const std::string thread = made({"before"});
  pb::UpdateConversationRequest update;
  update.set_thread_id(thread);
  update.mutable_conversation()->set_state(pb::CONVERSATION_STATE_ARCHIVED);
  update.mutable_update_mask()->add_paths("state");
  EXPECT_EQ(must(update).conversation().state(), pb::CONVERSATION_STATE_ARCHIVED);
  const CallStatus status = refused(append(thread, {"too late"}));
  EXPECT_EQ(status.code, Code::failed_precondition);
  EXPECT_EQ(status.reason, "CONVERSATION_ARCHIVED");
  EXPECT_THAT(texts_of(thread), ElementsAre("before"));
  update.mutable_conversation()->set_state(pb::CONVERSATION_STATE_ACTIVE);
  must(update);
  must(append(thread, {"after"}));
  EXPECT_THAT(texts_of(thread), ElementsAre("before", "after"));
}

TEST_F(ApiConversation, ResetsMessagesAndUsageOnly) {
  auto request = create(new_thread_id("r"), "ada");
  request.set_title("kept");
  must(request);
  const std::string& thread = request.thread_id();
  must(append(thread, {"a", "b"}));
  must(usage(thread, 10, 20));
  const pb::Conversation after = must(reset(thread)).conversation();
  EXPECT_EQ(after.version(), 4);
  EXPECT_EQ(after.reset_version(), 4);
  EXPECT_EQ(after.message_count(), 0);
  EXPECT_EQ(after.usage().total_tokens(), 0);
  EXPECT_EQ(after.title(), "kept");
  EXPECT_THAT(texts_of(thread), IsEmpty());
  const auto again = must(append(thread, {"c"}));
  EXPECT_EQ(again.first_sequence(), 1);
  EXPECT_EQ(again.version(), 5);
}

TEST_F(ApiConversation, DeletesAndBeginsAnewAtVersionOne) {
  const std::string thread = made({"gone", "gone too"}, "deleter");
  const auto request = with_request_id(erase(thread));
  EXPECT_EQ(must(request).version(), 2);
  EXPECT_EQ(refused(get(thread)).code, Code::not_found);
  EXPECT_EQ(must(request).version(), 2) << "a repetition is answered as the first time";
  EXPECT_EQ(must(create(thread)).conversation().version(), 1);
  EXPECT_THAT(texts_of(thread), IsEmpty());
  EXPECT_EQ(must(request).version(), 2) << "also when the id was created anew since";
  EXPECT_EQ(must_get(client(), thread).version(), 1);
  must(append(thread, {"new life"}));
  restart();
  EXPECT_THAT(texts_of(thread), ElementsAre("new life"));
}

TEST_F(ApiConversation, ChecksTheExpectedVersion) {
  const std::string thread = made({"a"});
  auto stale = append(thread, {"b"});
  stale.set_expected_version(1);
  const CallStatus status = refused(stale);
  EXPECT_EQ(status.code, Code::aborted);
  EXPECT_EQ(status.reason, "VERSION_MISMATCH");
  EXPECT_EQ(status.metadata.at("current_version"), "2");
  auto stale_reset = reset(thread);
  stale_reset.set_expected_version(7);
  EXPECT_EQ(refused(stale_reset).reason, "VERSION_MISMATCH");
  auto stale_delete = erase(thread);
  stale_delete.set_expected_version(7);
  EXPECT_EQ(refused(stale_delete).reason, "VERSION_MISMATCH");
  EXPECT_EQ(must_get(client(), thread).version(), 2) << "a refusal changes nothing";
  stale.set_expected_version(2);
  EXPECT_EQ(must(stale).version(), 3);
}

TEST_F(ApiConversation, KeepsTenantsApart) {
  const std::string thread = made({"default's"});
  EXPECT_EQ(client().call(get(thread), {.tenant = "acme"}).status.code, Code::not_found);
  ASSERT_TRUE(client().call(create(thread), {.tenant = "acme"}).ok());
  ASSERT_TRUE(client().call(append(thread, {"acme's", "acme's"}), {.tenant = "acme"}).ok());
  EXPECT_THAT(texts_of(thread), ElementsAre("default's"));
  ASSERT_TRUE(client().call(erase(thread), {.tenant = "acme"}).ok());
  EXPECT_THAT(texts_of(thread), ElementsAre("default's"));
}

}  // namespace
}  // namespace parley::test
