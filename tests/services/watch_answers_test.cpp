#include "services/watch_answers.hpp"

#include <gtest/gtest.h>

#include "parley/v1/conversation.pb.h"
#include "services/wire.hpp"

namespace parley {
namespace {

const Id128 k_first = Id128::from_bytes("firstfirstfirst1");
const Id128 k_second = Id128::from_bytes("secondsecondsec2");
const Id128 k_child = Id128::from_bytes("childchildchild3");

v1::WatchConversationResponse parsed(const std::string& bytes) {
  v1::WatchConversationResponse response;
  EXPECT_TRUE(response.ParseFromString(bytes));
  return response;
}

Event appended(uint64_t version, uint64_t sequence, const char* content) {
  v1::Message body;
  body.set_role(v1::ROLE_USER);
  body.set_content(content);
  MessagesAppended messages{.first = {sequence}, .bytes = 0, .messages = {}};
  for (int i = 0; i < 2; ++i) {
    messages.messages.push_back(
        {Role::user, std::make_shared<const std::string>(body.SerializeAsString()), {}});
  }
  return {{version}, {static_cast<int64_t>(version)}, {}, messages};
}

TEST(WatchAnswers, TellsAConversationFromItsFirstEvent) {
  WatchAnswers answers("t", WatchBeginning{});
  ConversationCreated created{.user = "u", .title = "T", .metadata = R"({"a":1})"};
  created.lineage.history = k_first;
  created.lineage.past = {{{1}, k_second, {1}, {5}}};
  created.origin = ForkOrigin{"parent", {5}};
  const auto first = parsed(answers.encode({{1}, {10}, {}, created}));
  EXPECT_EQ(first.version(), 1);
  EXPECT_EQ(first.time().nanos(), 10'000);
  EXPECT_EQ(first.created().thread_id(), "t");
  EXPECT_EQ(first.created().message_count(), 5);
  EXPECT_EQ(first.created().fork_origin().thread_id(), "parent");
  EXPECT_EQ(first.created().state(), v1::CONVERSATION_STATE_ACTIVE);
  EXPECT_EQ(first.created().metadata().fields().at("a").number_value(), 1);

  const auto second = parsed(answers.encode(appended(2, 6, "hello")));
  ASSERT_EQ(second.messages_appended().messages_size(), 2);
  const auto& message = second.messages_appended().messages(1);
  EXPECT_EQ(message.content(), "hello");
  EXPECT_EQ(message.sequence(), 7);
  EXPECT_EQ(message.version(), 2);
  EXPECT_EQ(message.message_id(), derived_message_id(k_first, {7}));
}

TEST(WatchAnswers, FollowsAResetToItsHistory) {
  State state;
  state.current.history = k_first;
  WatchAnswers answers("t", WatchBeginning::of(state));
  ConversationReset reset;
  reset.lineage.history = k_second;
  EXPECT_TRUE(parsed(answers.encode({{7}, {1}, {}, reset})).has_reset());
  const auto after = parsed(answers.encode(appended(8, 1, "x")));
  EXPECT_EQ(after.messages_appended().messages(0).message_id(), derived_message_id(k_second, {1}));
}

TEST(WatchAnswers, CountsMessagesThatAResetDropped) {
  State state;
  state.current.history = k_second;
  state.reset_version = {7};
  WatchAnswers answers("t", WatchBeginning::of(state));
  const auto kept = parsed(answers.encode(appended(6, 1, "kept for a fork")));
  EXPECT_EQ(kept.version(), 6);
  EXPECT_EQ(kept.messages_appended().erased(), 2);
  EXPECT_EQ(kept.messages_appended().messages_size(), 0);
  Event dropped = appended(9, 1, "x");
  std::get<MessagesAppended>(dropped.body).messages[1].body = nullptr;
  const auto gone = parsed(answers.encode(dropped));
  EXPECT_EQ(gone.version(), 9);
  EXPECT_EQ(gone.messages_appended().erased(), 2);
  EXPECT_EQ(gone.messages_appended().messages_size(), 0);
}

TEST(WatchAnswers, NamesForksAlsoWhenTheyGo) {
  State state;
  WatchAnswers fresh("t", WatchBeginning::of(state));
  const auto noted = parsed(fresh.encode({{2}, {1}, {}, ForkNoted{{"kid", k_child, {3}}}}));
  EXPECT_EQ(noted.fork_noted().thread_id(), "kid");
  EXPECT_FALSE(noted.fork_noted().released());
  EXPECT_EQ(
      parsed(fresh.encode({{3}, {1}, {}, ForkReleased{k_child, {}}})).fork_noted().thread_id(),
      "kid");
  state.former.push_back({.history = k_first, .children = {{"old", k_child, {4}}}});
  WatchAnswers later("t", WatchBeginning::of(state));
  const auto released = parsed(later.encode({{9}, {1}, {}, ForkReleased{k_child, {}}}));
  EXPECT_EQ(released.fork_noted().thread_id(), "old");
  EXPECT_EQ(released.fork_noted().sequence(), 4);
  EXPECT_TRUE(released.fork_noted().released());
}

TEST(WatchAnswers, TellsEveryOtherEvent) {
  WatchAnswers answers("t", WatchBeginning{});
  const ConversationUpdated updated{.title = "new", .lifecycle = Lifecycle::archived};
  const auto update = parsed(answers.encode({{2}, {1}, {}, updated}));
  EXPECT_EQ(update.updated().title(), "new");
  EXPECT_EQ(update.updated().version(), 2);
  EXPECT_EQ(update.updated().state(), v1::CONVERSATION_STATE_ARCHIVED);
  const auto usage = parsed(answers.encode({{3}, {1}, {}, UsageRecorded{{.model = "m"}}}));
  EXPECT_EQ(usage.usage_recorded().model(), "m");
  EXPECT_TRUE(parsed(answers.encode({{4}, {1}, {}, ReleaseConfirmed{}})).has_parent_released());
  EXPECT_TRUE(parsed(answers.encode({{5}, {1}, {}, ConversationDeleted{}})).has_deleted());
  const auto beat = parsed(WatchAnswers::heartbeat({5}, {2'000'000}));
  EXPECT_TRUE(beat.has_heartbeat());
  EXPECT_EQ(beat.version(), 5);
  EXPECT_EQ(beat.time().seconds(), 2);
}

}  // namespace
}  // namespace parley
