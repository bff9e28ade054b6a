#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/one_server.hpp"

namespace parley::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ApiFork : public OneServer {};
class ApiList : public OneServer {};

TEST_F(ApiFork, SharesThePastUpToASequence) {
  const std::string parent = made({"1", "2", "3"}, "ada");
  auto request = fork(parent, new_thread_id("fork"));
  request.set_at_sequence(2);
  request.set_title("another way");
  const auto answer = must(request);
  const std::string& child = request.new_thread_id();
  EXPECT_EQ(answer.conversation().version(), 1);
  EXPECT_EQ(answer.conversation().message_count(), 2);
  EXPECT_EQ(answer.conversation().fork_origin().thread_id(), parent);
  EXPECT_EQ(answer.conversation().fork_origin().sequence(), 2);
  EXPECT_EQ(answer.conversation().title(), "another way");
  EXPECT_EQ(answer.conversation().user_id(), "ada");
  EXPECT_EQ(answer.parent_version(), 3);
  EXPECT_EQ(must(append(child, {"3 of the fork"})).first_sequence(), 3);
  must(append(parent, {"4"}));
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(texts_of(child), ElementsAre("1", "2", "3 of the fork"));
    EXPECT_THAT(texts_of(parent), ElementsAre("1", "2", "3", "4"));
    const pb::Conversation recent = must_get(client(), child, 2);
    ASSERT_EQ(recent.messages_size(), 2);
    EXPECT_EQ(recent.messages(0).content(), "2");
    EXPECT_EQ(recent.messages(1).content(), "3 of the fork");
    restart();
  }
}

TEST_F(ApiFork, KeepsForksOfForksWholeWhenParentsGo) {
  const std::string parent = made({"1", "2", "3"});
  const std::string child = must(fork(parent, new_thread_id("child"))).conversation().thread_id();
  must(append(child, {"4c", "5c"}));
  auto deeper = fork(child, new_thread_id("grandchild"));
  deeper.set_at_sequence(4);
  const std::string grandchild = must(deeper).conversation().thread_id();
  must(append(grandchild, {"5g"}));
  must(erase(parent));
  EXPECT_THAT(texts_of(child), ElementsAre("1", "2", "3", "4c", "5c"));
  must(erase(child));
  EXPECT_THAT(texts_of(grandchild), ElementsAre("1", "2", "3", "4c", "5g"));
  restart();
  EXPECT_THAT(texts_of(grandchild), ElementsAre("1", "2", "3", "4c", "5g"));
  must(create(parent));
  must(append(parent, {"new life"}));
  EXPECT_THAT(texts_of(parent), ElementsAre("new life"));
  EXPECT_THAT(texts_of(grandchild), ElementsAre("1", "2", "3", "4c", "5g"));
  EXPECT_THAT(storage_problems(client()), IsEmpty());
}

TEST_F(ApiFork, OutlivesAResetOfTheParent) {
  const std::string parent = made({"1", "2"});
  const std::string child = must(fork(parent, new_thread_id("f"))).conversation().thread_id();
  must(reset(parent));
  must(append(parent, {"other"}));
  EXPECT_THAT(texts_of(child), ElementsAre("1", "2"));
  EXPECT_THAT(texts_of(parent), ElementsAre("other"));
}

TEST_F(ApiFork, RetriedAfterAResetOfTheForkTakesNothingFromItsForks) {
  const std::string parent = made({"1", "2"});
  auto request = fork(parent, new_thread_id("child"));
  request.set_request_id(new_request_id());
  const std::string child = must(request).conversation().thread_id();
  const std::string grandchild =
      must(fork(child, new_thread_id("grandchild"))).conversation().thread_id();
  must(reset(child));
  EXPECT_EQ(refused(request).reason, "FORK_NOT_FOUND") << "that fork is over";
  must(reset(parent));
  EXPECT_THAT(texts_of(grandchild), ElementsAre("1", "2"));
}

TEST_F(ApiFork, RefusesWhatCannotBe) {
  const std::string parent = made({"1"});
  auto request = fork(parent, new_thread_id("f"));
  request.set_at_sequence(2);
  const CallStatus beyond = refused(request);
  EXPECT_EQ(beyond.code, Code::out_of_range);
  EXPECT_EQ(beyond.reason, "SEQUENCE_OUT_OF_RANGE");
  EXPECT_EQ(refused(fork("nobody-made-this", new_thread_id("f"))).code, Code::not_found);
  EXPECT_EQ(refused(fork(parent, parent)).code, Code::invalid_argument);
  const std::string taken = made();
  EXPECT_EQ(refused(fork(parent, taken)).code, Code::already_exists);
  EXPECT_THAT(texts_of(taken), IsEmpty());
}

TEST_F(ApiFork, CountsOnlyItsOwnUsage) {
  const std::string parent = made({"1"});
  must(usage(parent, 10, 10));
  const std::string child = must(fork(parent, new_thread_id("f"))).conversation().thread_id();
  EXPECT_EQ(must_get(client(), child).usage().total_tokens(), 0);
}

std::vector<std::string> threads_of(const pb::ListConversationsResponse& page) {
  std::vector<std::string> made;
  for (const pb::Conversation& c : page.conversations()) made.push_back(c.thread_id());
  return made;
}

TEST_F(ApiList, ListsByUserLabelAndStateNewestFirst) {
  auto one = create(new_thread_id("l"), "lister");
  (*one.mutable_labels())["team"] = "red";
  auto two = create(new_thread_id("l"), "lister");
  (*two.mutable_labels())["team"] = "blue";
  auto three = create(new_thread_id("l"), "another");
  (*three.mutable_labels())["team"] = "red";
  for (const auto& request : {one, two, three}) must(request);
  pb::ListConversationsRequest request;
  request.set_user_id("lister");
  EXPECT_THAT(threads_of(must(request)), ElementsAre(two.thread_id(), one.thread_id()));
  must(append(one.thread_id(), {"activity"}));
  EXPECT_THAT(threads_of(must(request)), ElementsAre(one.thread_id(), two.thread_id()));
  (*request.mutable_labels())["team"] = "red";
  EXPECT_THAT(threads_of(must(request)), ElementsAre(one.thread_id()));
  request.clear_user_id();
  EXPECT_THAT(threads_of(must(request)), ElementsAre(one.thread_id(), three.thread_id()));
  pb::UpdateConversationRequest update;
  update.set_thread_id(three.thread_id());
  update.mutable_conversation()->set_state(pb::CONVERSATION_STATE_ARCHIVED);
  update.mutable_update_mask()->add_paths("state");
  must(update);
  request.set_state(pb::CONVERSATION_STATE_ARCHIVED);
  EXPECT_THAT(threads_of(must(request)), ElementsAre(three.thread_id()));
  restart();
  EXPECT_THAT(threads_of(must(request)), ElementsAre(three.thread_id()));
  must(erase(three.thread_id()));
  EXPECT_THAT(threads_of(must(request)), IsEmpty());
}

TEST_F(ApiList, PagesOverWhatChangesWithoutSkippingWhatDoesNot) {
  constexpr int k_count = 60;
  std::vector<std::string> all;
  for (int i = 0; i < k_count; ++i) all.push_back(made({}, "pager"));
  pb::ListConversationsRequest request;
  request.set_user_id("pager");
  request.set_page_size(7);
  std::map<std::string, int> seen;
  int page_count = 0;
  do {
    const auto page = must(request);
    ASSERT_LE(page.conversations_size(), 7);
    for (const std::string& thread : threads_of(page)) ++seen[thread];
    request.set_page_token(page.next_page_token());
    // Every third conversation changes while the list is read.
    for (int i = 0; i < k_count; i += 3) must(rename(all[static_cast<size_t>(i)], "t"));
  } while (!request.page_token().empty() && ++page_count < k_count);
  for (int i = 0; i < k_count; ++i) {
    const int times = seen[all[static_cast<size_t>(i)]];
    if (i % 3 != 0) {
      EXPECT_EQ(times, 1) << "conversation " << i << " did not change";
    }
  }
  request.set_user_id("other");
  request.set_page_token(must([&] {
                           auto first = request;
                           first.set_user_id("pager");
                           first.clear_page_token();
                           return first;
                         }())
                             .next_page_token());
  EXPECT_EQ(refused(request).reason, "PAGE_TOKEN_INVALID");
}

}  // namespace
}  // namespace parley::test
