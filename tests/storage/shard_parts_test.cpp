#include "storage/shard_parts.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(ShardParts, AreContiguousAndAsEvenAsCanBe) {
  for (const uint32_t count : {1U, 2U, 7U, 24U, 256U, 65'536U}) {
    for (const uint32_t parts : {1U, 2U, 3U, 5U, 24U}) {
      if (parts > count) continue;
      const ShardParts all{count, parts};
      uint32_t next = 0;
      for (uint32_t part = 0; part < parts; ++part) {
        const auto shards = all.shards(part);
        EXPECT_GE(shards.size(), count / parts);
        EXPECT_LE(shards.size(), (count + parts - 1) / parts);
        for (const Shard shard : shards) {
          ASSERT_EQ(shard.value, next++);
          ASSERT_EQ(all.part_of(shard), part);
        }
      }
      EXPECT_EQ(next, count);
    }
  }
}

}  // namespace
}  // namespace parley
