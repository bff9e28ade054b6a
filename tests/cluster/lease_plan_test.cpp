#include "cluster/lease_plan.hpp"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Id128 start(uint8_t number) {
  Id128 id;
  id.bytes[0] = number;
  return id;
}

Member member(const std::string& node, uint8_t incarnation = 1, uint64_t renewals = 0) {
  return {node, start(incarnation), node + ":1", false, renewals};
}

class ASilenceWatch : public testing::Test {
 protected:
  static constexpr LeaseTimes k_times{
      .lease_micros = 1'000, .renew_micros = 100, .margin_micros = 100};
  SilenceWatch watch_{k_times};
};

TEST_F(ASilenceWatch, BuriesNobodyThatMoves) {
  for (int64_t now = 0; now < 10'000; now += 500) {
    EXPECT_THAT(watch_.silent({member("a", 1, static_cast<uint64_t>(now))}, {now}), IsEmpty());
  }
}

TEST_F(ASilenceWatch, NamesWhoStoodStillForALease) {
  EXPECT_THAT(watch_.silent({member("a"), member("b")}, {0}), IsEmpty());
  EXPECT_THAT(watch_.silent({member("a"), member("b", 1, 1)}, {500}), IsEmpty());
  EXPECT_THAT(watch_.silent({member("a"), member("b", 1, 1)}, {999}), IsEmpty());
  EXPECT_THAT(watch_.silent({member("a"), member("b", 1, 1)}, {1'000}), ElementsAre(member("a")));
}

/// A count that was seen long ago says nothing of one that was made since.
TEST_F(ASilenceWatch, CountsFromTheLastTimeThatItMoved) {
  EXPECT_THAT(watch_.silent({member("a", 1, 1)}, {0}), IsEmpty());
  EXPECT_THAT(watch_.silent({member("a", 1, 2)}, {5'000}), IsEmpty());
  EXPECT_THAT(watch_.silent({member("a", 1, 2)}, {5'500}), IsEmpty());
  EXPECT_THAT(watch_.silent({member("a", 1, 2)}, {5'999}), IsEmpty());
  EXPECT_THAT(watch_.silent({member("a", 1, 2)}, {6'000}), SizeIs(1));
}

/// What kept this node from looking, kept the others from moving.
TEST_F(ASilenceWatch, BeginsAnewWhereNobodyCouldLook) {
  EXPECT_THAT(watch_.silent({member("a")}, {0}), IsEmpty());
  EXPECT_THAT(watch_.silent({member("a")}, {5'000}), IsEmpty());
  EXPECT_THAT(watch_.silent({member("a")}, {5'700}), IsEmpty());
  EXPECT_THAT(watch_.silent({member("a")}, {6'000}), ElementsAre(member("a")));
}

TEST_F(ASilenceWatch, TakesAnotherStartForAnotherMember) {
  EXPECT_THAT(watch_.silent({member("a", 1)}, {0}), IsEmpty());
  EXPECT_THAT(watch_.silent({member("a", 2)}, {1'500}), IsEmpty());
  EXPECT_THAT(watch_.silent({}, {2'000}), IsEmpty());
  EXPECT_THAT(watch_.silent({member("a", 2)}, {2'600}), IsEmpty()) << "it was gone in between";
}

Membership of(std::vector<Member> members,
              const std::vector<std::pair<std::string, uint8_t>>& owners) {
  Membership membership{std::move(members), {}};
  for (size_t i = 0; i < owners.size(); ++i) {
    membership.shards.push_back({{static_cast<uint16_t>(i)},
                                 {1},
                                 owners[i].first,
                                 owners[i].first.empty() ? Id128{} : start(owners[i].second)});
  }
  return membership;
}

TEST(LeasePlans, TakeWhatNobodyOwnsOnceAmongAll) {
  const std::vector<Member> all{member("a"), member("b"), member("c")};
  const Membership seen = of(all, std::vector<std::pair<std::string, uint8_t>>(12, {"", 0}));
  std::set<Shard> taken;
  for (const Member& self : all) {
    const LeasePlan plan = plan_leases(seen, self);
    EXPECT_THAT(plan.take, SizeIs(4));
    EXPECT_THAT(plan.give, IsEmpty());
    for (const OwnedShard& shard : plan.take) EXPECT_TRUE(taken.insert(shard.shard).second);
  }
  EXPECT_EQ(taken.size(), 12U);
}

TEST(LeasePlans, TakeWhatAnEarlierStartOwned) {
  const Membership seen = of({member("a", 2)}, {{"a", 1}, {"a", 2}, {"b", 1}});
  const LeasePlan plan = plan_leases(seen, member("a", 2));
  EXPECT_THAT(plan.take, ElementsAre(seen.shards[0], seen.shards[2]));
}

TEST(LeasePlans, GiveANewcomerItsShareAndNoMore) {
  const std::vector<Member> all{member("a"), member("b"), member("c")};
  std::vector<std::pair<std::string, uint8_t>> owners;
  for (int i = 0; i < 12; ++i) owners.emplace_back(i % 2 == 0 ? "a" : "b", 1);
  const Membership seen = of(all, owners);
  for (const char* self : {"a", "b"}) {
    const LeasePlan plan = plan_leases(seen, member(self));
    EXPECT_THAT(plan.take, IsEmpty());
    EXPECT_THAT(plan.give, SizeIs(2));
    for (const auto& [shard, to] : plan.give) EXPECT_EQ(to, member("c"));
  }
}

TEST(LeasePlans, LetWhoLeavesGiveEverythingAndTakeNothing) {
  Member leaving = member("a");
  leaving.leaving = true;
  const Membership seen = of({leaving, member("b")}, {{"a", 1}, {"a", 1}, {"b", 1}, {"", 0}});
  const LeasePlan plan = plan_leases(seen, leaving);
  EXPECT_THAT(plan.take, IsEmpty());
  EXPECT_THAT(plan.give, SizeIs(2));
  EXPECT_THAT(plan_leases(seen, member("b")).take, ElementsAre(seen.shards[3]));
  const LeasePlan alone = plan_leases(of({leaving}, {{"a", 1}}), leaving);
  EXPECT_THAT(alone.give, IsEmpty());
}

}  // namespace
}  // namespace parley
