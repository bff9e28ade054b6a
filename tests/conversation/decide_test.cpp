#include "conversation/decide.hpp"

#include <gtest/gtest.h>

#include "tests/support/builders.hpp"

namespace parley {
namespace {

using build::append;
using build::append_or_create;
using build::archive;
using build::create;
using build::expecting;
using build::id;
using build::request;

UpdateConversation update_title(std::string title) {
  UpdateConversation command;
  command.title = std::move(title);
  return command;
}

/// Every command that changes a conversation, with a name for messages.
std::vector<std::pair<std::string, Command>> changing_commands() {
  return {{"append", append({"x"})},
          {"update", update_title("t")},
          {"usage", RecordUsage{{.usage = {.total = 1}}}},
          {"reset", ResetConversation{}},
          {"fork", NoteFork{"child", std::nullopt}},
          {"delete", DeleteConversation{}}};
}

TEST(Decide, CreatesAtVersionOne) {
  build::Conversation talk;
  const Receipt receipt = talk.must(create("me"));
  EXPECT_TRUE(receipt.created);
  EXPECT_EQ(receipt.version, Version{1});
  EXPECT_EQ(talk.state().user, "me");
  EXPECT_TRUE(talk.state().exists);
}

TEST(Decide, CreatesOnlyOnce) {
  build::Conversation talk;
  talk.must(create());
  EXPECT_EQ(talk.refused(create()), Reason::conversation_exists);
  CreateConversation again = create();
  again.get_or_create = true;
  const Receipt receipt = talk.must(again);
  EXPECT_FALSE(receipt.created);
  EXPECT_EQ(receipt.version, Version{1});
  EXPECT_EQ(talk.events().size(), 1U);
}

TEST(Decide, AppendsGaplesslyAcrossCalls) {
  build::Conversation talk;
  talk.must(create());
  const Receipt first = talk.must(append({"a", "b"}));
  const Receipt second = talk.must(append({"c"}));
  EXPECT_EQ(first.first, Sequence{1});
  EXPECT_EQ(first.last, Sequence{2});
  EXPECT_EQ(second.first, Sequence{3});
  EXPECT_EQ(second.last, Sequence{3});
  EXPECT_EQ(second.version, Version{3});
  EXPECT_EQ(talk.state().message_bytes, 3U);
}

TEST(Decide, NeedsTheConversationUnlessToldToCreateIt) {
  build::Conversation talk;
  for (const auto& [name, command] : changing_commands()) {
    EXPECT_EQ(talk.refused(command), Reason::conversation_not_found) << name;
  }
  EXPECT_TRUE(talk.events().empty());
}

TEST(Decide, CreatesIfMissingWithTwoEventsInOneAnswer) {
  build::Conversation talk;
  const Decision decision = talk.run(append_or_create({"a"}), request(1));
  const auto& accepted = std::get<Accept>(decision);
  ASSERT_EQ(accepted.events.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<ConversationCreated>(accepted.events[0].body));
  EXPECT_TRUE(std::holds_alternative<MessagesAppended>(accepted.events[1].body));
  EXPECT_EQ(accepted.events[0].version, Version{1});
  EXPECT_EQ(accepted.events[1].version, Version{2});
  EXPECT_FALSE(accepted.events[0].dedup.has_value());
  ASSERT_TRUE(accepted.events[1].dedup.has_value());
  EXPECT_TRUE(accepted.receipt.created);
  EXPECT_EQ(accepted.receipt.version, Version{2});
  EXPECT_FALSE(talk.must(append_or_create({"b"})).created);
}

TEST(Decide, AnswersARepetitionWithTheFirstReceiptAndNeverWrites) {
  for (const auto& [name, command] : changing_commands()) {
    build::Conversation talk;
    talk.must(append_or_create({"a"}));
    const Receipt first = talk.must(command, request(9));
    const size_t events = talk.events().size();
    if (name != "delete") talk.must(append({"later"}));
    const Decision again = talk.judge(command, request(9));
    ASSERT_TRUE(std::holds_alternative<Replay>(again)) << name;
    EXPECT_EQ(std::get<Replay>(again).receipt, first) << name;
    EXPECT_EQ(talk.events().size(), events + (name != "delete" ? 1 : 0)) << name;
  }
}

TEST(Decide, AnswersARepetitionBeforeJudgingAnythingElse) {
  build::Conversation talk;
  talk.must(create());
  CommandMeta meta = request(1);
  meta.expected = Version{1};
  const Receipt first = talk.must(append({"a"}), meta);
  talk.must(archive());
  EXPECT_EQ(talk.must(append({"a"}), meta), first);
}

TEST(Decide, RefusesARequestIdOfAnotherBody) {
  build::Conversation talk;
  talk.must(create());
  talk.must(append({"a"}), request(1, 100));
  EXPECT_EQ(talk.refused(append({"b"}), request(1, 101)), Reason::request_id_reused);
}

TEST(Decide, DoesNotRememberWhatChangedNothing) {
  build::Conversation talk;
  talk.must(create());
  EXPECT_EQ(talk.refused(create(), request(1)), Reason::conversation_exists);
  CreateConversation again = create();
  again.get_or_create = true;
  talk.must(again, request(2));
  EXPECT_TRUE(talk.state().dedup.empty());
}

// T1: by wall clocks alone, one that jumped ahead made requests forgotten and carried out again.
TEST(Decide, KnowsARequestHoweverTheClockJumps) {
  build::Conversation talk;
  talk.at(50'000'000).must(create());
  talk.must(append({"a"}), request(1));
  constexpr int64_t k_year = int64_t{365} * 86'400'000'000;
  talk.at(k_year).must(append({"b"}), request(2));  // what lets go of old ones has run as well
  for (const int64_t now : {int64_t{1}, k_year}) {
    for (const uint64_t number : {1U, 2U}) {
      const auto again = append({number == 1 ? "a" : "b"});
      EXPECT_TRUE(std::holds_alternative<Replay>(talk.at(now).judge(again, request(number))));
    }
  }
}

TEST(Decide, ForgetsTheOldestRequestsByNumber) {
  build::Conversation talk;
  CreateConversation command = create();
  command.policy.dedup_requests = 2;
  talk.must(command);
  for (uint64_t i = 1; i <= 3; ++i) talk.must(append({"a"}), request(i));
  EXPECT_TRUE(std::holds_alternative<Accept>(talk.judge(append({"a"}), request(1))));
  EXPECT_TRUE(std::holds_alternative<Replay>(talk.judge(append({"a"}), request(2))));
}

TEST(Decide, ChecksTheExpectedVersion) {
  for (const auto& [name, command] : changing_commands()) {
    build::Conversation talk;
    talk.must(append_or_create({"a"}));
    for (const uint64_t wrong : {0U, 1U, 3U}) {
      const Decision decision = talk.judge(command, expecting(wrong));
      ASSERT_TRUE(std::holds_alternative<Refusal>(decision)) << name;
      EXPECT_EQ(std::get<Refusal>(decision).reason, Reason::version_mismatch) << name;
      EXPECT_EQ(std::get<Refusal>(decision).current, Version{2}) << name;
    }
    EXPECT_TRUE(std::holds_alternative<Accept>(talk.judge(command, expecting(2)))) << name;
  }
}

TEST(Decide, CreatesWhereVersionZeroIsExpected) {
  build::Conversation talk;
  talk.must(create(), expecting(0));
  EXPECT_EQ(talk.refused(create(), expecting(0)), Reason::version_mismatch);
}

TEST(Decide, TakesNoMessagesWhileArchived) {
  build::Conversation talk;
  talk.must(create());
  talk.must(archive());
  EXPECT_EQ(talk.refused(append({"a"})), Reason::conversation_archived);
  EXPECT_EQ(talk.refused(append_or_create({"a"})), Reason::conversation_archived);
  UpdateConversation activate;
  activate.lifecycle = Lifecycle::active;
  talk.must(activate);
  talk.must(append({"a"}));
}

TEST(Decide, TimesNeverGoBack) {
  build::Conversation talk;
  talk.at(1000).must(create());
  talk.at(2000).must(append({"a"}));
  EXPECT_EQ(talk.at(10).must(append({"b"})).time, WallTime{2000});
  talk.at(-5).must(update_title("t"));
  EXPECT_EQ(talk.at(3000).must(append({"c"})).time, WallTime{3000});
  for (size_t i = 1; i < talk.events().size(); ++i) {
    EXPECT_GE(talk.events()[i].time, talk.events()[i - 1].time);
  }
}

TEST(Decide, MergesLabelsAndRemovesTheEmptyOnes) {
  build::Conversation talk;
  CreateConversation command = create();
  command.labels = {{"a", "1"}, {"b", "2"}};
  talk.must(command);
  UpdateConversation update;
  update.labels_patch = build::Labels{{"a", ""}, {"b", "3"}, {"c", "4"}, {"absent", ""}};
  talk.must(update);
  EXPECT_EQ(talk.state().labels, (std::map<std::string, std::string>{{"b", "3"}, {"c", "4"}}));
}

TEST(Decide, BoundsLabelsAfterTheMerge) {
  Limits limits;
  limits.labels = 2;
  build::Conversation talk(limits);
  CreateConversation command = create();
  command.labels = {{"a", "1"}, {"b", "2"}};
  talk.must(command);
  UpdateConversation exchange;
  exchange.labels_patch = build::Labels{{"a", ""}, {"c", "3"}};
  talk.must(exchange);
  UpdateConversation more;
  more.labels_patch = build::Labels{{"d", "4"}};
  EXPECT_EQ(talk.refused(more), Reason::too_many_labels);
}

TEST(Decide, MergesMetadataAndBoundsTheResult) {
  Limits limits;
  limits.metadata_bytes = 20;
  build::Conversation talk(limits);
  CreateConversation command = create();
  command.metadata = R"({"a":1})";
  talk.must(command);
  UpdateConversation update;
  update.metadata_patch = R"({"b":2})";
  talk.must(update);
  EXPECT_EQ(talk.state().metadata, R"({"a":1,"b":2})");
  update.metadata_patch = R"({"c":"0123456789"})";
  EXPECT_EQ(talk.refused(update), Reason::metadata_too_large);
  update.metadata_patch = "[]";
  EXPECT_EQ(talk.refused(update), Reason::metadata_invalid);
}

TEST(Decide, LeavesAbsentFieldsOfAnUpdateAlone) {
  build::Conversation talk;
  CreateConversation command = create("me");
  command.title = "old";
  command.metadata = R"({"a":1})";
  command.labels = {{"k", "v"}};
  command.policy.hot_window_messages = 7;
  talk.must(command);
  talk.must(update_title("new"));
  EXPECT_EQ(talk.state().user, "me");
  EXPECT_EQ(talk.state().title, "new");
  EXPECT_EQ(talk.state().metadata, R"({"a":1})");
  EXPECT_EQ(talk.state().labels.at("k"), "v");
  EXPECT_EQ(talk.state().policy.hot_window_messages, 7U);
}

TEST(Decide, DeletesWithTheLastVersionAsReceipt) {
  build::Conversation talk;
  talk.must(append_or_create({"a"}));
  EXPECT_EQ(talk.must(DeleteConversation{}).version, Version{2});
  EXPECT_FALSE(talk.state().exists);
  EXPECT_EQ(talk.refused(DeleteConversation{}), Reason::conversation_not_found);
  EXPECT_EQ(talk.must(DeleteConversation{.allow_missing = true}).version, Version{0});
}

TEST(Decide, StartsAtVersionOneAfterADeletionAndKnowsItsRequest) {
  build::Conversation talk;
  talk.must(append_or_create({"a"}), request(1));
  const Receipt deleted = talk.must(DeleteConversation{}, request(2));
  EXPECT_EQ(talk.must(create(), request(3)).version, Version{1});
  EXPECT_EQ(talk.must(DeleteConversation{}, request(2)), deleted);
  EXPECT_TRUE(talk.state().exists);
  EXPECT_EQ(talk.state().last_sequence, Sequence{0});
  EXPECT_FALSE(talk.state().dedup.find(id(1)).has_value());
}

TEST(Decide, RefusesAForkBeyondWhatThereIs) {
  Limits limits;
  limits.forks_per_conversation = 2;
  build::Conversation talk(limits);
  talk.must(append_or_create({"a", "b"}));
  EXPECT_EQ(talk.refused(NoteFork{"c", Sequence{3}}), Reason::sequence_out_of_range);
  EXPECT_EQ(talk.must(NoteFork{"c", std::nullopt}).last, Sequence{2});
  EXPECT_EQ(talk.must(NoteFork{"c", Sequence{0}}).last, Sequence{0});
  EXPECT_EQ(talk.refused(NoteFork{"c", Sequence{1}}), Reason::too_many_forks);
}

TEST(Decide, HasNothingToConfirmTwice) {
  build::Conversation talk;
  talk.must(create());
  talk.must(ConfirmRelease{id(5)});
  EXPECT_EQ(talk.events().size(), 1U);
  EXPECT_EQ(talk.refused(ReleaseFork{id(5)}), Reason::fork_not_found);
}

}  // namespace
}  // namespace parley
