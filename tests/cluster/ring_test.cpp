#include "cluster/ring.hpp"

#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

namespace parley {
namespace {

constexpr size_t k_shards = 256;

std::vector<NodeName> nodes(size_t count, size_t first = 0) {
  std::vector<NodeName> names;
  for (size_t i = 0; i < count; ++i) names.push_back({"parley-" + std::to_string(first + i)});
  return names;
}

Layout first_layout(size_t node_count, size_t shards = k_shards) {
  return place(Layout(shards), nodes(node_count));
}

std::map<NodeName, size_t> counts(const Layout& layout) {
  std::map<NodeName, size_t> result;
  for (const NodeName& node : layout) ++result[node];
  return result;
}

/// Most and least that a node has; a node that has nothing counts.
std::pair<size_t, size_t> spread(const Layout& layout, const std::vector<NodeName>& among) {
  auto count = counts(layout);
  size_t least = SIZE_MAX;
  size_t most = 0;
  for (const NodeName& node : among) {
    least = std::min(least, count[node]);
    most = std::max(most, count[node]);
  }
  return {least, most};
}

TEST(Ring, GivesEveryShardToOneOfTheNodesInEqualShares) {
  for (size_t count = 1; count <= 40; ++count) {
    for (const size_t shards : {size_t{1}, size_t{7}, k_shards}) {
      const Layout layout = first_layout(count, shards);
      const auto [least, most] = spread(layout, nodes(count));
      EXPECT_LE(most - least, 1U) << count << " nodes, " << shards << " shards";
      EXPECT_EQ(counts(layout).count(NodeName{}), 0U);
    }
  }
}

TEST(Ring, DoesNotDependOnTheOrderInWhichNodesAreNamed) {
  auto names = nodes(7);
  const Layout layout = place(Layout(k_shards), names);
  std::mt19937 random(1);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(names.begin(), names.end(), random);
    EXPECT_EQ(place(Layout(k_shards), names), layout);
  }
}

TEST(Ring, MovesNothingWhenNothingChanged) {
  const Layout layout = first_layout(5);
  EXPECT_TRUE(moves_between(layout, place(layout, nodes(5))).empty());
}

TEST(Ring, MovesToANodeThatComesOnlyItsShare) {
  for (size_t count = 1; count <= 12; ++count) {
    const Layout before = first_layout(count);
    const Layout after = place(before, nodes(count + 1));
    const NodeName newcomer = nodes(1, count).front();
    const auto moves = moves_between(before, after);
    EXPECT_EQ(moves.size(), k_shards / (count + 1)) << count;
    for (const ShardMove& move : moves) EXPECT_EQ(move.to, newcomer);
  }
}

TEST(Ring, MovesFromANodeThatGoesOnlyItsOwn) {
  for (size_t count = 2; count <= 12; ++count) {
    const Layout before = first_layout(count);
    for (size_t leaving = 0; leaving < count; ++leaving) {
      auto rest = nodes(count);
      const NodeName gone = rest[leaving];
      rest.erase(rest.begin() + static_cast<ptrdiff_t>(leaving));
      const Layout after = place(before, rest);
      const auto moves = moves_between(before, after);
      EXPECT_EQ(moves.size(), counts(before)[gone]);
      for (const ShardMove& move : moves) EXPECT_EQ(move.from, gone);
    }
  }
}

TEST(Ring, StaysBalancedThroughAnyHistoryOfNodesAndMovesTheLeastEachTime) {
  std::mt19937 random(7);
  for (int history = 0; history < 50; ++history) {
    Layout layout(k_shards);
    for (int step = 0; step < 12; ++step) {
      std::vector<NodeName> there;
      for (const NodeName& node : nodes(9)) {
        if (random() % 2 == 0) there.push_back(node);
      }
      if (there.empty()) there = nodes(1);
      const Layout next = place(layout, there);
      const auto [least, most] = spread(next, there);
      ASSERT_LE(most - least, 1U);
      // The least: what must leave a node that is gone, and what a node has above its share.
      size_t least_moves = 0;
      std::vector<size_t> had;
      auto count = counts(layout);
      for (const auto& [node, shards] : count) {
        const bool stays = std::find(there.begin(), there.end(), node) != there.end();
        if (!stays) least_moves += shards;
      }
      for (const NodeName& node : there) had.push_back(count[node]);
      std::sort(had.rbegin(), had.rend());
      for (size_t i = 0; i < had.size(); ++i) {
        const size_t share = k_shards / had.size() + (i < k_shards % had.size() ? 1 : 0);
        if (had[i] > share) least_moves += had[i] - share;
      }
      ASSERT_EQ(moves_between(layout, next).size(), least_moves);
      layout = next;
    }
  }
}

TEST(Ring, PlacesShardsIndependentlyOfEachOther) {
  // Neighbouring shards are together on one of four nodes about as often as chance has it.
  const Layout layout = first_layout(4, 4096);
  size_t together = 0;
  for (size_t i = 1; i < layout.size(); ++i) together += layout[i] == layout[i - 1] ? 1 : 0;
  EXPECT_GT(together, 4096U / 4 - 150);
  EXPECT_LT(together, 4096U / 4 + 150);
}

TEST(Ring, KeepsItsValuesFromReleaseToRelease) {
  // Nodes of two releases must agree on the first layout: a change of these is a break.
  EXPECT_EQ(affinity({0}, {"parley-0"}), 7858479595899844853U);
  EXPECT_EQ(affinity({255}, {"parley-2"}), 1369950869860784869U);
}

}  // namespace
}  // namespace parley
