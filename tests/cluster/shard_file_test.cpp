#include "cluster/shard_file.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "storage/data_dir.hpp"
#include "tests/storage/temporary_directory.hpp"

namespace parley {
namespace {

const std::vector<NodeName> k_nodes{{"parley-2"}, {"parley-0"}, {"parley-1"}};

std::string slurp(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(ShardFile, LetsEachShardHaveOneOwnerAmongNodesThatStartForTheFirstTime) {
  std::vector<int> owners(256);
  KnownOwners known;
  for (const NodeName& node : k_nodes) {
    const NodeShards shards = NodeShards::first(node, k_nodes, 256);
    if (known.empty()) known = shards.owners();
    EXPECT_EQ(shards.owners(), known);
    for (size_t i = 0; i < owners.size(); ++i) {
      owners[i] += shards.holdings[i].kind == Holding::Kind::owned ? 1 : 0;
    }
  }
  EXPECT_EQ(owners, std::vector<int>(256, 1));
}

TEST(ShardFile, KnowsOwnersByWhatIsRecorded) {
  NodeShards shards{{"parley-1"}, k_nodes, {}};
  shards.holdings = {{Holding::Kind::owned, {3}, {}, 0},
                     {Holding::Kind::absent, {3}, {"parley-2"}, 0},
                     {Holding::Kind::given, {4}, {"parley-0"}, 9},
                     {Holding::Kind::receiving, {5}, {"parley-2"}, 9},
                     {Holding::Kind::complete, {6}, {"parley-0"}, 9}};
  const KnownOwners owners{{{"parley-1"}, {3}},
                           {{"parley-2"}, {3}},
                           {{"parley-0"}, {4}},
                           {{"parley-2"}, {4}},
                           {{"parley-0"}, {5}}};
  EXPECT_EQ(shards.owners(), owners);
}

TEST(ShardFile, ReadsWhatItWrote) {
  NodeShards shards = NodeShards::first({"parley-1"}, k_nodes, 5);
  shards.holdings[0] = {Holding::Kind::given, {7}, {"parley-0"}, 12345678901234567890U};
  shards.holdings[1] = {Holding::Kind::receiving, {8}, {"parley-2"}, 1};
  shards.holdings[2] = {Holding::Kind::complete, {9}, {"parley-2"}, 2};
  shards.holdings[3] = {Holding::Kind::absent, {0}, {}, 0};
  const auto read = parse_shards(format_shards(shards), "SHARDS");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, shards);
}

TEST(ShardFile, RefusesEveryDamage) {
  const std::string text = format_shards(NodeShards::first({"parley-1"}, k_nodes, 3));
  for (size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(parse_shards(damaged, "SHARDS").ok()) << "byte " << i;
    EXPECT_FALSE(parse_shards(text.substr(0, i), "SHARDS").ok()) << "cut at " << i;
  }
}

ClusterStart starting(const char* self, std::vector<NodeName> nodes = k_nodes) {
  return {.self = {self}, .nodes = std::move(nodes), .first_nodes = {}, .shard_count = 16};
}

TEST(ShardFile, IsWrittenAtTheFirstStartAndReadAtTheNext) {
  const test::TemporaryDirectory dir;
  const auto first = open_shards(dir.path() + "/data", starting("parley-0"));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->fresh);
  EXPECT_TRUE(first->shards.owns_any());
  const std::string written = slurp(dir.path() + "/data/SHARDS");
  const auto again = open_shards(dir.path() + "/data", starting("parley-0"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->shards, first->shards);
  EXPECT_FALSE(again->fresh);
  EXPECT_EQ(slurp(dir.path() + "/data/SHARDS"), written);
}

/// Nodes come and go, but not those that it began with.
TEST(ShardFile, OutlivesOtherNodesAndLetsNewOnesBeginWithNothing) {
  const test::TemporaryDirectory dir;
  const auto first = open_shards(dir.path() + "/0", starting("parley-0"));
  std::vector<NodeName> more = k_nodes;
  more.push_back({"parley-3"});
  const auto later = open_shards(dir.path() + "/0", starting("parley-0", more));
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_EQ(later->shards, first->shards);
  ClusterStart newcomer = starting("parley-3", more);
  newcomer.first_nodes = k_nodes;
  const auto opened = open_shards(dir.path() + "/3", newcomer);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_FALSE(opened->shards.owns_any());
  const KnownOwners known = opened->shards.owners();
  for (size_t i = 0; i < known.size(); ++i) {
    const Holding& there = first->shards.holdings[i];
    EXPECT_EQ(known[i], owner_by(there, {"parley-0"})) << i;
  }
}

TEST(ShardFile, KeepsAStorageToItsNodeAndItsCluster) {
  const test::TemporaryDirectory dir;
  const std::string data = dir.path();
  ASSERT_TRUE(open_shards(data, starting("parley-0")).ok());
  ClusterStart others = starting("parley-0");
  others.first_nodes = {{"parley-0"}, {"parley-1"}};
  ClusterStart more_shards = starting("parley-0");
  more_shards.shard_count = 17;
  for (const auto& refused : {open_shards(data, starting("parley-1")), open_shards(data, others),
                              open_shards(data, more_shards)}) {
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(refused.status().message().find(
                  "node parley-0 in a cluster that began with parley-0 parley-1"),
              std::string::npos)
        << refused.status();
  }
  EXPECT_EQ(check_alone(data).code(), absl::StatusCode::kFailedPrecondition);
}

/// Filled by a server without a cluster, or restored from a backup, which has not begun.
TEST(ShardFile, RefusesAStorageThatIsNoNodesOwn) {
  for (const bool begun : {true, false}) {
    const test::TemporaryDirectory dir;
    ASSERT_TRUE(check_alone(dir.path()).ok());
    Identity identity;
    identity.store_id = random_id();
    identity.created = "2026-01-01T00:00:00Z";
    identity.begun = begun;
    ASSERT_TRUE(write_identity(dir.path(), identity).ok());
    const auto refused = open_shards(dir.path(), starting("parley-0"));
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_FALSE(std::filesystem::exists(dir.path() + "/SHARDS"));
  }
}

}  // namespace
}  // namespace parley
