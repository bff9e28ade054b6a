#include "storage/keys.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace parley {
namespace {

const ConversationKey k_talk{"acme", "talk"};

TEST(Keys, AConversationsPartsComeInTheOrderOfALoad) {
  const std::string prefix = keys::conversation({5}, k_talk);
  const std::vector<std::string> ordered{keys::remains(prefix),      keys::snapshot(prefix),
                                         keys::event(prefix, {1}),   keys::event(prefix, {255}),
                                         keys::event(prefix, {256}), keys::head(prefix)};
  EXPECT_TRUE(std::is_sorted(ordered.begin(), ordered.end()));
  for (const auto& key : ordered) {
    EXPECT_TRUE(key.starts_with(prefix));
    EXPECT_LT(key, keys::end_of(prefix));
    EXPECT_EQ(keys::conversation_size(key), prefix.size());
  }
}

TEST(Keys, OneConversationIsNoPrefixOfAnother) {
  const std::string talk = keys::conversation({5}, k_talk);
  const std::string talk2 = keys::conversation({5}, {"acme", "talk2"});
  const std::string acmet = keys::conversation({5}, {"acmet", "alk"});
  EXPECT_FALSE(talk2.starts_with(talk));
  EXPECT_FALSE(acmet.starts_with(talk));
  EXPECT_GE(talk2, keys::end_of(talk));
}

TEST(Keys, ReadsBackKeysOfState) {
  const std::string prefix = keys::conversation({65535}, k_talk);
  const auto event = keys::parse_state(keys::event(prefix, {77}));
  ASSERT_TRUE(event);
  EXPECT_EQ(event->shard, Shard{65535});
  EXPECT_EQ(event->key, k_talk);
  EXPECT_EQ(event->part, keys::Part::event);
  EXPECT_EQ(event->version, Version{77});
  EXPECT_EQ(keys::parse_state(keys::head(prefix))->part, keys::Part::head);
  EXPECT_FALSE(keys::parse_state(prefix));
  EXPECT_FALSE(keys::parse_state(prefix + "\x02"));
  EXPECT_FALSE(keys::parse_state(prefix + "\x09"));
  EXPECT_FALSE(keys::parse_state("x"));
}

TEST(Keys, MessagesOfAHistoryAreOneRange) {
  Id128 history;
  history.bytes.fill(0xff);
  const std::string prefix = keys::history({3}, history);
  const std::string last = keys::message({3}, history, {UINT64_MAX});
  EXPECT_LT(last, keys::end_of(prefix));
  EXPECT_LT(keys::message({3}, history, {9}), keys::message({3}, history, {10}));
  EXPECT_LT(keys::message({3}, history, {255}), keys::message({3}, history, {256}));
  const auto parsed = keys::parse_message(last);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->shard, Shard{3});
  EXPECT_EQ(parsed->history, history);
  EXPECT_EQ(parsed->sequence, Sequence{UINT64_MAX});
  EXPECT_FALSE(keys::parse_message(prefix));
}

TEST(Keys, RanksSortNewestFirstThenByThread) {
  const std::vector<std::string> ordered{keys::rank({INT64_MAX}, "z"), keys::rank({20}, "b"),
                                         keys::rank({10}, "a"),        keys::rank({10}, "b"),
                                         keys::rank({0}, "a"),         keys::rank({-5}, "a"),
                                         keys::rank({INT64_MIN}, "a")};
  EXPECT_TRUE(std::is_sorted(ordered.begin(), ordered.end()));
  const auto rank = keys::parse_rank(keys::rank({-5}, "a"));
  ASSERT_TRUE(rank);
  EXPECT_EQ(rank->last_activity, WallTime{-5});
  EXPECT_EQ(rank->thread, "a");
  EXPECT_FALSE(keys::parse_rank("short"));
}

TEST(Keys, LabelsMayHoldAnyBytes) {
  const std::string nul(1, '\0');
  const std::string one = keys::index_label({1}, "acme", "k" + nul, "v");
  const std::string two = keys::index_label({1}, "acme", "k", nul + "v");
  EXPECT_FALSE(one.starts_with(two));
  EXPECT_FALSE(two.starts_with(one));
  const auto parsed = keys::parse_index(one + keys::rank({7}, "talk"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->first, "k" + nul);
  EXPECT_EQ(parsed->second, "v");
  EXPECT_EQ(parsed->tenant, "acme");
  EXPECT_EQ(parsed->rank.thread, "talk");
}

TEST(Keys, ReadsBackKeysOfTheIndex) {
  const auto user = keys::parse_index(keys::index_user({1}, "acme", "") + keys::rank({7}, "talk"));
  ASSERT_TRUE(user);
  EXPECT_EQ(user->kind, 'U');
  EXPECT_EQ(user->first, "");
  const auto unfinished = keys::parse_unfinished(keys::unfinished({1}, k_talk));
  ASSERT_TRUE(unfinished);
  EXPECT_EQ(unfinished->key, k_talk);
  EXPECT_FALSE(keys::parse_index(keys::unfinished({1}, k_talk)));
  const auto expiry = keys::parse_expiry(keys::expiry({1}, {3}, k_talk));
  ASSERT_TRUE(expiry);
  EXPECT_EQ(expiry->age, keys::StoreAge{3});
  EXPECT_EQ(expiry->key, k_talk);
  EXPECT_LT(keys::expiry({1}, {3}, k_talk), keys::expiry({1}, {256}, k_talk));
}

TEST(Keys, AShardIsOneRangeInEveryFamily) {
  const std::string begin = keys::shard({7});
  const std::string end = keys::end_of(begin);
  for (const auto& key : {keys::head(keys::conversation({7}, k_talk)), keys::message({7}, {}, {1}),
                          keys::index_all({7}, "acme"), keys::unfinished({7}, k_talk)}) {
    EXPECT_GE(key, begin);
    EXPECT_LT(key, end);
  }
  EXPECT_EQ(keys::shard({8}), end);
}

TEST(Keys, NobodyHasAKeyOfNobodys) {
  const std::string talk = keys::conversation({5}, k_talk);
  const std::string shard = keys::shard({5});
  const std::string message = keys::message({5}, {}, {9});
  for (const auto& begin : {talk, shard, message}) {
    const std::string key = keys::nobodys_behind(begin);
    EXPECT_GT(key, begin);
    EXPECT_LT(key, keys::end_of(begin));
    for (const std::string& nobodys : {key, std::string(keys::k_nobodys)}) {
      EXPECT_FALSE(keys::parse_state(nobodys));
      EXPECT_FALSE(keys::parse_message(nobodys));
      EXPECT_FALSE(keys::parse_index(nobodys));
      EXPECT_FALSE(keys::parse_unfinished(nobodys));
      EXPECT_FALSE(keys::parse_expiry(nobodys));
    }
  }
  EXPECT_LT(keys::nobodys_behind(message), keys::message({5}, {}, {10}));
}

TEST(Keys, ReadsBackKeysOfMeta) {
  EXPECT_EQ(keys::parse_damaged(keys::damaged(0xfeedface)), 0xfeedfaceU);
  EXPECT_EQ(keys::parse_epoch(keys::epoch({9})), Shard{9});
  EXPECT_FALSE(keys::parse_epoch(keys::damaged(1)));
  const auto scrub = keys::parse_scrub(keys::scrub('\2', 44, "begin"));
  ASSERT_TRUE(scrub);
  EXPECT_EQ(scrub->family, '\2');
  EXPECT_EQ(scrub->begin, "begin");
  EXPECT_NE(keys::scrub('\2', 44, "begin"), keys::scrub('\2', 45, "begin"));
}

}  // namespace
}  // namespace parley
