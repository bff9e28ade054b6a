#include "services/translate.hpp"

#include <chrono>
#include <set>

#include <gtest/gtest.h>

#include "tests/services/checked.hpp"

namespace parley {
namespace {

const Limits k_limits;
constexpr const char* k_uuid = "0e37df36-f698-11e6-8dd4-cb9ced3df976";
constexpr const char* k_other_uuid = "1e37df36-f698-11e6-8dd4-cb9ced3df976";

v1::AppendMessagesRequest append_of(const std::string& content) {
  v1::AppendMessagesRequest request;
  request.set_thread_id("t");
  auto& message = *request.add_messages();
  message.set_role(v1::ROLE_ASSISTANT);
  message.set_content(content);
  return request;
}

uint64_t digest_of(v1::AppendMessagesRequest request) {
  return value_of(translate(request, k_limits)).meta.digest;
}

TEST(Translate, CreatesWithTheServersDefaults) {
  v1::CreateConversationRequest request;
  request.set_user_id("u");
  request.set_title("T");
  (*request.mutable_metadata()->mutable_fields())["n"].set_number_value(3);
  (*request.mutable_labels())["team"] = "red";
  request.mutable_policy()->set_dedup_window_requests(5);
  request.set_request_id(k_uuid);
  const Asked asked = value_of(translate(request, k_limits));
  const auto& create = std::get<CreateConversation>(asked.command);
  EXPECT_EQ(create.user, "u");
  EXPECT_EQ(create.title, "T");
  EXPECT_EQ(create.metadata, R"({"n":3})");
  EXPECT_EQ(create.labels.at("team"), "red");
  EXPECT_EQ(create.policy, (Policy{50, 5, 24 * 3600}));
  EXPECT_EQ(format_uuid(asked.meta.request), k_uuid);
  EXPECT_FALSE(asked.meta.expected);
}

TEST(Translate, KeepsAMessageByteForByte) {
  auto request = append_of("hi");
  auto& message = *request.mutable_messages(0);
  message.set_name("n");
  message.set_message_id("mine");
  message.set_model("gpt");
  message.set_provider("openai");
  for (int i = 0; i < 20; ++i) {
    auto& fields = *message.mutable_metadata()->mutable_fields();
    fields["key" + std::to_string(i)].set_number_value(i);
  }
  message.mutable_usage()->set_prompt_tokens(10);
  message.mutable_usage()->set_completion_tokens(5);
  message.mutable_cost()->set_currency_code("USD");
  message.mutable_cost()->set_nanos(7);
  request.set_expected_version(4);
  const v1::Message given = message;
  const Asked asked = value_of(translate(request, k_limits));
  EXPECT_EQ(asked.meta.expected, Version{4});
  EXPECT_TRUE(asked.meta.request.empty());
  const auto& made = std::get<AppendMessages>(asked.command).messages.at(0);
  EXPECT_EQ(made.role, Role::assistant);
  ASSERT_TRUE(made.charge);
  EXPECT_EQ(made.charge->usage.total, 15);
  EXPECT_EQ(made.charge->model, "gpt");
  EXPECT_EQ(made.charge->provider, "openai");
  EXPECT_EQ(made.charge->cost, (Money{"USD", 0, 7}));
  v1::Message stored;
  ASSERT_TRUE(stored.ParseFromString(*made.body));
  EXPECT_EQ(stored.usage().total_tokens(), 15);
  stored.mutable_usage()->clear_total_tokens();
  EXPECT_EQ(stored.SerializeAsString().size(), given.SerializeAsString().size());
  EXPECT_EQ(stored.DebugString(), given.DebugString());
}

TEST(Translate, TellsAbsentContentFromEmpty) {
  auto request = append_of("");
  request.add_messages()->set_role(v1::ROLE_TOOL);
  const Asked asked = value_of(translate(request, k_limits));
  const auto& messages = std::get<AppendMessages>(asked.command).messages;
  v1::Message first;
  v1::Message second;
  ASSERT_TRUE(first.ParseFromString(*messages[0].body));
  ASSERT_TRUE(second.ParseFromString(*messages[1].body));
  EXPECT_TRUE(first.has_content());
  EXPECT_FALSE(second.has_content());
  EXPECT_FALSE(messages[0].charge);
}

TEST(Translate, KeepsATotalThatIsGiven) {
  auto request = append_of("x");
  request.mutable_messages(0)->mutable_usage()->set_prompt_tokens(10);
  request.mutable_messages(0)->mutable_usage()->set_total_tokens(99);
  const Asked asked = value_of(translate(request, k_limits));
  EXPECT_EQ(std::get<AppendMessages>(asked.command).messages[0].charge->usage.total, 99);
}

TEST(Translate, DigestsEverythingButTheRequestId) {
  auto request = append_of("a");
  const uint64_t digest = digest_of(request);
  request.set_request_id(k_uuid);
  EXPECT_EQ(digest_of(request), digest);
  std::set<uint64_t> digests = {digest};
  const auto differs = [&](const auto& change) {
    auto changed = append_of("a");
    change(changed);
    EXPECT_TRUE(digests.insert(digest_of(changed)).second) << changed.DebugString();
  };
  differs([](auto& r) { r.set_thread_id("u"); });
  differs([](auto& r) { r.set_expected_version(0); });
  differs([](auto& r) { r.set_expected_version(1); });
  differs([](auto& r) { r.mutable_create_if_missing(); });
  differs([](auto& r) { r.mutable_create_if_missing()->set_user_id("u"); });
  differs([](auto& r) { r.mutable_messages(0)->set_content("b"); });
  differs([](auto& r) { *r.add_messages() = r.messages(0); });
}

TEST(Translate, DigestsEqualRequestsAlikeWhateverTheOrderOfTheirMaps) {
  v1::CreateConversationRequest a;
  v1::CreateConversationRequest b;
  for (int i = 0; i < 30; ++i) {
    (*a.mutable_labels())["k" + std::to_string(i)] = "v";
    (*b.mutable_labels())["k" + std::to_string(29 - i)] = "v";
  }
  a.set_request_id(k_uuid);
  b.set_request_id(k_other_uuid);
  EXPECT_EQ(value_of(translate(a, k_limits)).meta.digest,
            value_of(translate(b, k_limits)).meta.digest);
}

TEST(Translate, DigestsMethodsApart) {
  v1::ResetConversationRequest reset;
  v1::DeleteConversationRequest erase;
  reset.set_thread_id("t");
  erase.set_thread_id("t");
  EXPECT_NE(value_of(translate(reset, k_limits)).meta.digest,
            value_of(translate(erase, k_limits)).meta.digest);
}

TEST(Translate, UpdatesOnlyWhatTheMaskNames) {
  v1::UpdateConversationRequest request;
  request.set_thread_id("t");
  auto& from = *request.mutable_conversation();
  from.set_title("new");
  from.set_user_id("nobody");
  (*from.mutable_metadata()->mutable_fields())["gone"].set_null_value(google::protobuf::NULL_VALUE);
  from.set_state(v1::CONVERSATION_STATE_ARCHIVED);
  (*from.mutable_labels())["l"] = "";
  for (const char* path : {"title", "metadata", "state", "labels"}) {
    request.mutable_update_mask()->add_paths(path);
  }
  const Asked asked = value_of(translate(request, k_limits));
  const auto& update = std::get<UpdateConversation>(asked.command);
  EXPECT_EQ(update.title, "new");
  EXPECT_EQ(update.metadata_patch, R"({"gone":null})");
  EXPECT_EQ(update.lifecycle, Lifecycle::archived);
  EXPECT_EQ(update.labels_patch->at("l"), "");
  EXPECT_FALSE(update.user);
  EXPECT_FALSE(update.policy);
}

TEST(Translate, MakesTheSameThreadIdForTheSameRequest) {
  v1::CreateConversationRequest request;
  const Id128 one = Id128::from_bytes("0123456789abcdef");
  const Id128 two = Id128::from_bytes("fedcba9876543210");
  EXPECT_NE(create_thread(request, one), create_thread(request, two));
  request.set_request_id(k_uuid);
  EXPECT_EQ(create_thread(request, one), create_thread(request, two));
  EXPECT_TRUE(check_id("t", create_thread(request, one)).ok());
  request.set_thread_id("mine");
  EXPECT_EQ(create_thread(request, one), "mine");
  v1::ForkConversationRequest fork;
  fork.set_thread_id("a");
  fork.set_request_id(k_uuid);
  const std::string child = fork_thread(fork, one);
  fork.set_thread_id("b");
  EXPECT_NE(fork_thread(fork, one), child);
}

TEST(Translate, AsksTheParentOfAFork) {
  v1::ForkConversationRequest request;
  request.set_thread_id("t");
  const Asked all = value_of(translate(request, "child", k_limits));
  EXPECT_FALSE(std::get<NoteFork>(all.command).at);
  request.set_at_sequence(0);
  request.set_expected_version(3);
  const Asked none = value_of(translate(request, "child", k_limits));
  EXPECT_EQ(std::get<NoteFork>(none.command).at, Sequence{0});
  EXPECT_EQ(std::get<NoteFork>(none.command).child_thread, "child");
  EXPECT_EQ(none.meta.expected, Version{3});
}

TEST(Translate, RefusesBeforeItTranslates) {
  auto request = append_of("x");
  request.set_thread_id("a/b");
  EXPECT_TRUE(names_field(error_in(translate(request, k_limits)), "thread_id"));
  EXPECT_EQ(error_in(translate(v1::RecordUsageRequest(), k_limits)).reason, "INVALID_FIELD");
}

TEST(Translate, TakesLittleTimeForASmallAppend) {
  constexpr int k_rounds = 100'000;
  auto request = append_of(std::string(200, 'x'));
  request.set_thread_id("thread-0123456789");
  request.set_request_id(k_uuid);
  const auto begin = std::chrono::steady_clock::now();
  uint64_t sum = 0;
  for (int i = 0; i < k_rounds; ++i) {
    auto checked = translate(request, k_limits);
    sum += std::get<Asked>(checked).meta.digest;
  }
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
  EXPECT_NE(sum, 1U);
  RecordProperty("microseconds_each", std::to_string(took.count() / k_rounds));
  std::printf("append of 200 bytes: %.3f us\n", took.count() / k_rounds);
}

}  // namespace
}  // namespace parley
