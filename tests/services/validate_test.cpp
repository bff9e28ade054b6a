#include "services/validate.hpp"

#include <string>

#include <gtest/gtest.h>

#include "tests/services/checked.hpp"

namespace parley {
namespace {

const Limits k_limits;
constexpr const char* k_uuid = "0e37df36-f698-11e6-8dd4-cb9ced3df976";

template <class Request>
Request on_thread(const std::string& thread = "t") {
  Request request;
  request.set_thread_id(thread);
  return request;
}

TEST(Validate, RefusesNastyIds) {
  using namespace std::string_literals;
  const std::string nasty[] = {"",
                               "-a",
                               ".a",
                               " a",
                               "a b",
                               "a/b",
                               "../a",
                               "a\0b"s,
                               "a\n",
                               "\x1b[31mred",
                               "a\u202e",
                               "a\u0301",
                               "é",
                               "漢",
                               "a%2f",
                               "a\\b",
                               "a\"b",
                               "a'b",
                               "a;b",
                               "\xff",
                               std::string(129, 'a'),
                               std::string(1'000'000, 'a')};
  for (const std::string& id : nasty) {
    const auto request = on_thread<v1::GetConversationRequest>(id);
    EXPECT_EQ(fields_of(validate(request, k_limits)), "thread_id ") << id.substr(0, 20);
    const auto error = validate(request, k_limits);
    EXPECT_LT(error->message.size(), 500U);
    for (const char c : error->message) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  }
  for (const std::string& id : {"a"s, "0"s, std::string(128, 'z'), "A._~:@+=,-9"s}) {
    EXPECT_FALSE(validate(on_thread<v1::GetConversationRequest>(id), k_limits)) << id;
  }
}

TEST(Validate, NamesEverythingThatIsWrongAtOnce) {
  v1::CreateConversationRequest request;
  request.set_thread_id("a/b");
  request.set_user_id("?");
  request.set_title(std::string(1025, 't'));
  (*request.mutable_metadata()->mutable_fields())["x"];
  (*request.mutable_labels())[""] = "v";
  request.mutable_policy()->set_hot_window_messages(1001);
  request.mutable_policy()->set_dedup_window_requests(-1);
  request.set_request_id("not-a-uuid");
  EXPECT_EQ(fields_of(validate(request, k_limits)),
            "thread_id user_id title metadata labels policy.hot_window_messages "
            "policy.dedup_window_requests request_id ");
}

TEST(Validate, AcceptsTheBoundsOfACreation) {
  v1::CreateConversationRequest request;
  EXPECT_FALSE(validate(request, k_limits));
  request.set_title(std::string(1024, 't'));
  for (int i = 0; i < 64; ++i) {
    (*request.mutable_labels())[std::string(62, 'k') + std::to_string(10 + i)] =
        std::string(128, 'v');
  }
  request.mutable_policy()->set_hot_window_messages(1000);
  request.mutable_policy()->set_dedup_window_requests(16384);
  request.set_request_id(k_uuid);
  EXPECT_FALSE(validate(request, k_limits)) << fields_of(validate(request, k_limits));
  (*request.mutable_labels())["one more"] = "";
  EXPECT_EQ(fields_of(validate(request, k_limits)), "labels ");
}

TEST(Validate, RefusesRequestIdsThatAreNoUuids) {
  for (const char* id :
       {"x", "00000000-0000-0000-0000-000000000000", "0e37df36f69811e68dd4cb9ced3df976",
        "{0e37df36-f698-11e6-8dd4-cb9ced3df97}"}) {
    auto request = on_thread<v1::ResetConversationRequest>();
    request.set_request_id(id);
    EXPECT_EQ(fields_of(validate(request, k_limits)), "request_id ") << id;
  }
}

TEST(Validate, RefusesNegativeNumbers) {
  auto get = on_thread<v1::GetConversationRequest>();
  get.set_message_limit(-1);
  get.set_as_of_version(0);
  get.set_min_version(-1);
  EXPECT_EQ(fields_of(validate(get, k_limits)), "message_limit as_of_version min_version ");

  auto list = on_thread<v1::ListMessagesRequest>();
  list.set_page_size(-1);
  list.set_min_version(-7);
  list.mutable_filter()->set_from_sequence(-1);
  list.mutable_filter()->set_to_sequence(-1);
  EXPECT_EQ(fields_of(validate(list, k_limits)),
            "page_size filter.from_sequence filter.to_sequence min_version ");

  auto fork = on_thread<v1::ForkConversationRequest>();
  fork.set_at_sequence(-1);
  fork.set_expected_version(-1);
  EXPECT_EQ(fields_of(validate(fork, k_limits)), "at_sequence expected_version ");

  auto usage = on_thread<v1::GetUsageRequest>();
  usage.set_page_size(-2'147'483'648);
  EXPECT_EQ(fields_of(validate(usage, k_limits)), "page_size ");
}

TEST(Validate, BoundsTheMessageLimit) {
  auto get = on_thread<v1::GetConversationRequest>();
  get.set_message_limit(1000);
  EXPECT_FALSE(validate(get, k_limits));
  get.set_message_limit(1001);
  EXPECT_EQ(fields_of(validate(get, k_limits)), "message_limit ");
}

TEST(Validate, BoundsABatchAndFindsDuplicates) {
  v1::BatchGetConversationsRequest request;
  EXPECT_EQ(fields_of(validate(request, k_limits)), "thread_ids ");
  for (int i = 0; i < 100; ++i) request.add_thread_ids("t" + std::to_string(i));
  request.set_message_limit(50);
  EXPECT_FALSE(validate(request, k_limits));
  request.set_thread_ids(99, "t0");
  request.set_thread_ids(3, "a b");
  request.set_message_limit(51);
  EXPECT_EQ(fields_of(validate(request, k_limits)), "thread_ids[3] thread_ids[99] message_limit ");
  request.add_thread_ids("t100");
  EXPECT_TRUE(names_field(*validate(request, k_limits), "thread_ids"));
}

TEST(Validate, KnowsWhatCanBeUpdated) {
  auto request = on_thread<v1::UpdateConversationRequest>();
  EXPECT_EQ(fields_of(validate(request, k_limits)), "update_mask conversation ");
  request.mutable_conversation()->set_version(99);  // not named in the mask, so not read
  for (const char* path : {"title", "metadata", "labels", "policy", "user_id", "state"}) {
    request.mutable_update_mask()->add_paths(path);
  }
  EXPECT_EQ(fields_of(validate(request, k_limits)), "conversation.state ");
  request.mutable_conversation()->set_state(v1::CONVERSATION_STATE_ARCHIVED);
  EXPECT_FALSE(validate(request, k_limits));
  for (const char* path : {"version", "messages", "policy.hot_window_messages", "", "*", "Title"}) {
    request.mutable_update_mask()->set_paths(2, path);
    const auto error = validate(request, k_limits);
    EXPECT_EQ(fields_of(error), "update_mask.paths[2] ") << path;
    EXPECT_NE(error->message.find("'" + std::string(path) + "'"), std::string::npos);
  }
}

TEST(Validate, RefusesNumbersThatAreNoEnumValue) {
  v1::ListConversationsRequest list;
  list.set_state(static_cast<v1::ConversationState>(7));
  EXPECT_EQ(fields_of(validate(list, k_limits)), "state ");
  auto messages = on_thread<v1::ListMessagesRequest>();
  messages.set_order(static_cast<v1::MessageOrder>(-1));
  messages.mutable_filter()->add_roles(v1::ROLE_USER);
  messages.mutable_filter()->add_roles(v1::ROLE_UNSPECIFIED);
  messages.mutable_filter()->add_roles(static_cast<v1::Role>(99));
  EXPECT_EQ(fields_of(validate(messages, k_limits)), "order filter.roles[1] filter.roles[2] ");
  v1::ExportConversationsRequest exported;
  exported.set_form(static_cast<v1::TransferForm>(3));
  EXPECT_EQ(fields_of(validate(exported, k_limits)), "form ");
}

TEST(Validate, BoundsConditions) {
  v1::ListConversationsRequest list;
  auto messages = on_thread<v1::ListMessagesRequest>();
  for (int i = 0; i < 9; ++i) {
    (*list.mutable_labels())["k" + std::to_string(i)] = "v";
    auto& fields = *messages.mutable_filter()->mutable_metadata()->mutable_fields();
    fields["k" + std::to_string(i)].set_bool_value(true);
  }
  messages.mutable_filter()->mutable_from_time()->set_nanos(-1);
  messages.mutable_filter()->mutable_to_time()->set_seconds(INT64_MAX);
  EXPECT_EQ(fields_of(validate(list, k_limits)), "labels ");
  EXPECT_EQ(fields_of(validate(messages, k_limits)),
            "filter.from_time filter.to_time filter.metadata ");
}

TEST(Validate, WantsSomethingToRecord) {
  auto request = on_thread<v1::RecordUsageRequest>();
  EXPECT_EQ(fields_of(validate(request, k_limits)), "usage ");
  request.mutable_cost()->set_currency_code("EUR");
  EXPECT_FALSE(validate(request, k_limits));
  request.set_model(std::string(129, 'm'));
  request.set_provider(std::string(129, 'p'));
  EXPECT_EQ(fields_of(validate(request, k_limits)), "model provider ");
}

TEST(Validate, ChecksForksAndWatches) {
  auto fork = on_thread<v1::ForkConversationRequest>();
  fork.set_new_thread_id("t");
  EXPECT_EQ(fields_of(validate(fork, k_limits)), "new_thread_id ");
  fork.set_new_thread_id("");
  fork.set_at_sequence(0);
  EXPECT_FALSE(validate(fork, k_limits));

  auto watch = on_thread<v1::WatchConversationRequest>();
  EXPECT_FALSE(validate(watch, k_limits));
  watch.set_heartbeat_interval_ms(999);
  watch.set_after_version(-1);
  EXPECT_EQ(fields_of(validate(watch, k_limits)), "after_version heartbeat_interval_ms ");
  EXPECT_TRUE(validate(v1::LocateConversationRequest(), k_limits));
  EXPECT_TRUE(validate(v1::DeleteConversationRequest(), k_limits));
}

}  // namespace
}  // namespace parley
