#include "cluster/router.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley {
namespace {

using testing::ElementsAre;

class NoTransport final : public PeerTransport {
 public:
  void ask(const NodeName&, PeerRequest, PeerWaiter* waiter) override {
    waiter->failed(PeerFailure::not_sent);
  }
  [[nodiscard]] uint64_t session(const NodeName&) const override { return 0; }
};

class ARouter : public testing::Test {
 protected:
  const NodeName a{"a"};
  const NodeName b{"b"};
  const NodeName c{"c"};
  NoTransport transport;
  Router router{a, {a, b, c}, {{a, {5}}, {b, {5}}, {b, {5}}, {{}, {0}}}, transport};
};

TEST_F(ARouter, KnowsWhatItWasGiven) {
  EXPECT_EQ(router.elsewhere({0}), nullptr);
  ASSERT_NE(router.elsewhere({1}), nullptr);
  EXPECT_EQ(*router.elsewhere({1}), b);
  EXPECT_EQ(router.known({1}), (KnownOwner{b, {5}}));
  EXPECT_THAT(router.others(), ElementsAre(b, c));
  EXPECT_THAT(router.shards_of(b), ElementsAre(Shard{1}, Shard{2}));
  EXPECT_TRUE(router.owner({3}).value.empty());
}

TEST_F(ARouter, LearnsOfHigherEpochsOnly) {
  const NodeName* before = router.elsewhere({1});
  router.learn({1}, {c, {5}});
  EXPECT_EQ(router.owner({1}), b);
  router.learn({1}, {c, {7}});
  EXPECT_EQ(router.known({1}), (KnownOwner{c, {7}}));
  router.learn({1}, {b, {6}});
  EXPECT_EQ(router.owner({1}), c) << "what comes late";
  EXPECT_EQ(*before, b) << "what was given out stays";
  EXPECT_THAT(router.shards_of(b), ElementsAre(Shard{2}));
}

/// Its storage decides.
TEST_F(ARouter, IsNotToldByOthersWhatIsItsOwn) {
  router.learn({0}, {b, {9}});
  EXPECT_EQ(router.elsewhere({0}), nullptr);
  router.learn({1}, {a, {9}});
  EXPECT_EQ(router.owner({1}), b);
}

TEST_F(ARouter, KeepsToTheClustersNodes) {
  router.learn({1}, {{"stranger"}, {9}});
  router.learn({1}, {{}, {9}});
  router.learn({999}, {c, {9}});
  EXPECT_EQ(router.known({1}), (KnownOwner{b, {5}}));
}

}  // namespace
}  // namespace parley
