#include "base/ids.hpp"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(CheckId, AcceptsTheAllowedCharactersUpToTheBound) {
  for (const char* id : {"a", "0", "Az09._~:@+=,-", "user@example.com", "9-"}) {
    EXPECT_TRUE(check_id("thread_id", id).ok()) << id;
  }
  EXPECT_TRUE(check_id("thread_id", std::string(k_id_bytes_max, 'x')).ok());
}

TEST(CheckId, RefusesEverythingElseAndNamesTheField) {
  const std::string nul("a\0b", 3);
  for (const std::string& id :
       {std::string(), std::string(k_id_bytes_max + 1, 'x'), std::string("-a"), std::string(".a"),
        std::string("a b"), std::string("a/b"), std::string("a\nb"), nul, std::string("a\xc3\xa9"),
        std::string("a\x1b[31m"), std::string("a%"), std::string("a\\b")}) {
    const Status status = check_id("thread_id", id);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << id;
    EXPECT_EQ(std::string(status.message()).rfind("thread_id: ", 0), 0U) << status;
  }
}

TEST(CheckId, EscapesTheBadByteInItsMessage) {
  const Status status = check_id("user_id", "a\nb");
  EXPECT_EQ(std::string(status.message()).find('\n'), std::string::npos);
  EXPECT_NE(std::string(status.message()).find("byte 1 is '\\n'"), std::string::npos) << status;
}

TEST(KeyHash, KeepsTenantAndThreadApart) {
  EXPECT_NE(key_hash({"a", "bc"}), key_hash({"ab", "c"}));
  EXPECT_NE(key_hash({"a", "b"}), key_hash({"b", "a"}));
  EXPECT_EQ(key_hash({"t", "thread"}), key_hash({"t", "thread"}));
}

// Part of the storage format: a change moves every conversation to another shard.
TEST(KeyHash, IsTheSameForEver) {
  EXPECT_EQ(key_hash({"default", "thread-1"}), 9415311390123480962U);
}

TEST(ShardOf, SpreadsConversationsOverAllShards) {
  std::set<uint16_t> seen;
  for (int i = 0; i < 4096; ++i) {
    seen.insert(shard_of(key_hash({"default", "thread-" + std::to_string(i)}), 256).value);
  }
  EXPECT_EQ(seen.size(), 256U);
  EXPECT_EQ(shard_of(12345, 1).value, 0);
}

TEST(ShardOfDeathTest, NeedsAtLeastOneShard) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(shard_of(1, 0), "shard_count");
}

TEST(Id128, IsEmptyWhenAllZero) {
  EXPECT_TRUE(Id128{}.empty());
  const Id128 id = Id128::from_bytes("0123456789abcdef");
  EXPECT_FALSE(id.empty());
  EXPECT_EQ(id.view(), "0123456789abcdef");
  EXPECT_EQ(id.hex(), "30313233343536373839616263646566");
}

TEST(ParseUuid, ReadsBothCasesAndWritesLowerCase) {
  const auto lower = parse_uuid("request_id", "0e37df36-f698-11e6-8dd4-cb9ced3df976");
  const auto upper = parse_uuid("request_id", "0E37DF36-F698-11E6-8DD4-CB9CED3DF976");
  ASSERT_TRUE(lower.ok());
  ASSERT_TRUE(upper.ok());
  EXPECT_EQ(*lower, *upper);
  EXPECT_EQ(format_uuid(*upper), "0e37df36-f698-11e6-8dd4-cb9ced3df976");
}

TEST(ParseUuid, RefusesWhatIsNotOne) {
  for (const char* text :
       {"", "0e37df36", "0e37df36f69811e68dd4cb9ced3df976", "0e37df36-f698-11e6-8dd4-cb9ced3df97g",
        "0e37df36-f698-11e6-8dd4-cb9ced3df9766", "0e37df36_f698-11e6-8dd4-cb9ced3df976",
        "{e37df36-f698-11e6-8dd4-cb9ced3df976}", "00000000-0000-0000-0000-000000000000"}) {
    const auto parsed = parse_uuid("request_id", text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(std::string(parsed.status().message()).rfind("request_id: ", 0), 0U);
  }
}

TEST(Ids, AreOrderedByValue) {
  EXPECT_LT(Version{1}, Version{2});
  EXPECT_EQ(Version{1}.next(), Version{2});
  EXPECT_LT(Sequence{0}, Sequence{1});
  EXPECT_LT(Epoch{3}, Epoch{4});
}

}  // namespace
}  // namespace parley
