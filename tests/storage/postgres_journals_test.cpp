#include "storage/postgres_journals.hpp"

#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/storage/journal_driver.hpp"
#include "tests/storage/postgres_instance.hpp"

namespace parley::test {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr ShardParts k_parts{Driver::k_shards, 2};

class InTwoDatabases : public testing::Test {
 protected:
  InTwoDatabases() {
    first_.empty();
    second_.empty();
  }
  ~InTwoDatabases() override {
    if (second_killed_) second_.start();
  }

  static PostgresOptions options() {
    PostgresOptions options;
    options.connection = {.url = {},
                          .connect_max = milliseconds(2'000),
                          .statement_max = milliseconds(1'000),
                          .lock_max = milliseconds(1'000)};
    options.shard_count = Driver::k_shards;
    options.accept_async_loss = true;  // the test's own does not sync
    return options;
  }
  std::unique_ptr<PostgresJournals> opened() {
    auto journals = PostgresJournals::open(options(), {first_.url(), second_.url()});
    EXPECT_TRUE(journals.ok()) << journals.status();
    return *std::move(journals);
  }
  static std::string refusal(const std::vector<std::string>& urls) {
    const auto journals = PostgresJournals::open(options(), urls);
    EXPECT_EQ(journals.status().code(), absl::StatusCode::kFailedPrecondition);
    return std::string(journals.status().message());
  }
  void kill_second() {
    second_.kill();
    second_killed_ = true;
  }
  void restart_second() {
    second_.start();
    second_killed_ = false;
  }
  /// A name whose shard is in that database.
  static std::string name_in(uint32_t part, const std::string& stem) {
    for (int i = 0;; ++i) {
      std::string name = stem + std::to_string(i);
      const Shard shard = shard_of(key_hash({"acme", name}), Driver::k_shards);
      if (k_parts.part_of(shard) == part) return name;
    }
  }
  static Driver in(PostgresJournals& journals, uint32_t part, const std::string& stem) {
    Driver driver(journals, name_in(part, stem));
    EXPECT_TRUE(driver.load().ok());
    return driver;
  }
  static std::vector<std::string> listed(PostgresJournals& journals, size_t page_size) {
    std::vector<std::string> threads;
    ListQuery query{.tenant = "acme", .count_max = page_size};
    while (true) {
      const auto page = journals.list(query);
      EXPECT_TRUE(page.ok()) << page.status();
      for (const auto& row : page->conversations) threads.push_back(row.thread);
      if (page->conversations.size() < page_size) return threads;
      query.after = {page->conversations.back().last_activity, threads.back()};
    }
  }

  PostgresInstance& first_ = PostgresInstance::of_this_process();
  PostgresInstance& second_ = PostgresInstance::second_of_this_process();
  bool second_killed_ = false;
};

TEST_F(InTwoDatabases, EachHasEverythingOfItsShards) {
  auto journals = opened();
  for (int i = 0; i < 40; ++i) {
    Driver talk(*journals, "talk-" + std::to_string(i));
    ASSERT_TRUE(talk.load().ok());
    talk.append_numbered(2);
  }
  int conversations = 0;
  for (uint32_t part = 0; part < 2; ++part) {
    const PostgresInstance& database = part == 0 ? first_ : second_;
    const auto shards = k_parts.shards(part);
    EXPECT_EQ(database.run("SELECT min(shard), max(shard), count(*) FROM parley.shards"),
              std::to_string(shards.front().value) + "|" + std::to_string(shards.back().value) +
                  "|128\n");
    EXPECT_EQ(database.run("SELECT count(*) FROM parley.conversations c LEFT JOIN parley.shards s "
                           "USING (shard) WHERE s.shard IS NULL"),
              "0\n");
    const int here = std::stoi(database.run("SELECT count(*) FROM parley.conversations"));
    EXPECT_GT(here, 0);
    EXPECT_EQ(database.run("SELECT count(*) FROM parley.messages"),
              std::to_string(2 * here) + "\n");
    conversations += here;
    EXPECT_EQ(database.run("SELECT part, parts, begun, cluster_id FROM parley.store"),
              std::to_string(part) + "|2|t|" + journals->store_id() + "\n");
  }
  EXPECT_EQ(conversations, 40);
}

TEST_F(InTwoDatabases, ListsAreOneInTheirOrder) {
  auto journals = opened();
  std::vector<std::string> newest_first;
  for (int i = 0; i < 23; ++i) {
    const std::string name = "talk-" + std::to_string(i);
    Driver talk(*journals, name);
    ASSERT_TRUE(talk.load().ok());
    talk.append_numbered(1);
    newest_first.insert(newest_first.begin(), name);
  }
  for (const size_t page_size : {1, 2, 7, 23, 100}) {
    EXPECT_EQ(listed(*journals, page_size), newest_first) << page_size;
  }
}

TEST_F(InTwoDatabases, AForkGoesOnWhileItsParentsDatabaseIsAway) {
  auto journals = opened();
  Driver parent = in(*journals, 1, "parent-");
  parent.append_numbered(5);
  Driver child = parent.fork(name_in(0, "child-"), Sequence{4});
  child.append_numbered(3);
  EXPECT_THAT(child.read({1}, {9}), ElementsAre("m1", "m2", "m3", "m4", "m5", "m6", "m7"));
  EXPECT_THAT(child.read({2}, {6}, true, {.count_max = 4}), ElementsAre("m6", "m5", "m4", "m3"));
  kill_second();
  Driver again(*journals, child.key().thread);
  ASSERT_TRUE(again.load().ok());
  ASSERT_EQ(again.recent().size(), 3U) << "what is here of its window";
  EXPECT_EQ(*again.recent().front().body, "m5");
  again.append_numbered(1);
  EXPECT_THAT(again.read({5}, {9}), ElementsAre("m5", "m6", "m7", "m8"));
  const auto shared = journals->read_messages({again.spans(), {1}, {9}, false}, {});
  EXPECT_EQ(shared.status().code(), absl::StatusCode::kUnavailable) << shared.status();
  restart_second();
  EXPECT_THAT(again.read({3}, {6}), ElementsAre("m3", "m4", "m5", "m6"));
}

TEST_F(InTwoDatabases, OneThatIsAwayCostsItsOwnShards) {
  auto journals = opened();
  Driver here = in(*journals, 0, "here-");
  Driver there = in(*journals, 1, "there-");
  here.append_numbered(1);
  there.append_numbered(1);
  kill_second();
  here.append_numbered(1);
  EXPECT_NE(there.append({"lost"}), WriteOutcome::committed);
  EXPECT_EQ(Driver(*journals, here.key().thread).load(), absl::OkStatus());
  EXPECT_EQ(Driver(*journals, there.key().thread).load().code(), absl::StatusCode::kUnavailable);
  const auto page = journals->list({.tenant = "acme"});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->conversations.size(), 1U);
  EXPECT_EQ(page->conversations.front().thread, here.key().thread);
  EXPECT_EQ(page->unreachable, k_parts.shards(1));
  EXPECT_TRUE(journals->unfinished_releases().ok());
  EXPECT_TRUE(journals->purge().ok());
  restart_second();
  EXPECT_EQ(listed(*journals, 10).size(), 2U);
}

/// As whoever renews a lease there finds out.
TEST_F(InTwoDatabases, NobodyWaitsForOneThatStandsStill) {
  auto journals = opened();
  Driver there = in(*journals, 1, "there-");
  there.append_numbered(1);
  second_.pause();
  journals->away(1) = true;
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(there.append({"lost"}), WriteOutcome::not_written);
  EXPECT_EQ(Driver(*journals, there.key().thread).load().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(journals->list({.tenant = "acme"})->unreachable.size(), 128U);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, milliseconds(500));
  second_.go_on();
  journals->away(1) = false;
  EXPECT_EQ(Driver(*journals, there.key().thread).load(), absl::OkStatus());
}

TEST_F(InTwoDatabases, ServesTheOthersWhereOneIsAwayAtTheStart) {
  std::string cluster;
  {
    auto journals = opened();
    cluster = journals->store_id();
    in(*journals, 1, "there-").append_numbered(1);
    ASSERT_TRUE(journals->raise_epoch(k_parts.shards(1).front(), {5}).ok());
  }
  kill_second();
  auto journals = opened();
  EXPECT_EQ(journals->store_id(), cluster);
  EXPECT_TRUE(journals->is_open(0));
  EXPECT_FALSE(journals->is_open(1));
  in(*journals, 0, "here-").append_numbered(1);
  Driver there(*journals, name_in(1, "there-"));
  EXPECT_EQ(there.load().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(journals->open_rest().code(), absl::StatusCode::kUnavailable);
  restart_second();
  EXPECT_EQ(there.load().code(), absl::StatusCode::kUnavailable) << "nobody has looked at it yet";
  ASSERT_EQ(journals->open_rest(), absl::OkStatus());
  EXPECT_TRUE(journals->is_open(1));
  EXPECT_EQ(journals->epoch(k_parts.shards(1).front()), Epoch{5});
  ASSERT_EQ(there.load(), absl::OkStatus());
  EXPECT_THAT(there.read({1}, {1}), ElementsAre("m1"));
  EXPECT_EQ(listed(*journals, 10).size(), 2U);
}

TEST_F(InTwoDatabases, NeedsAllAtItsFirstStart) {
  kill_second();
  const auto journals = PostgresJournals::open(options(), {first_.url(), second_.url()});
  EXPECT_EQ(journals.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(journals.status().message()),
              AllOf(HasSubstr("--journal: database 2 of 2"), HasSubstr("first start")));
  restart_second();
  EXPECT_TRUE(opened()->is_open(1)) << "nothing was recorded that would be in the way";
}

/// One recorded its place, and the node was killed.
TEST_F(InTwoDatabases, AFirstStartThatBrokeOffGoesOn) {
  const std::string cluster = opened()->store_id();
  second_.empty();
  first_.run("UPDATE parley.store SET begun = false");
  auto journals = opened();
  EXPECT_EQ(journals->store_id(), cluster);
  EXPECT_EQ(second_.run("SELECT part, begun FROM parley.store"), "1|t\n");
}

TEST_F(InTwoDatabases, RefusesAnEmptyOneInPlaceOfOneThatWasAtWork) {
  opened();
  second_.empty();
  EXPECT_THAT(refusal({first_.url(), second_.url()}),
              AllOf(HasSubstr("--journal: database 2 of 2"), HasSubstr("is empty"),
                    HasSubstr("restore its backup")));
  EXPECT_EQ(second_.run("SELECT count(*) FROM parley.shards"), "0\n");
}

TEST_F(InTwoDatabases, RefusesAnotherOrderNumberOrCluster) {
  opened();
  EXPECT_THAT(refusal({second_.url(), first_.url()}),
              AllOf(HasSubstr("--journal: database 1 of 2"), HasSubstr("was number 2"),
                    HasSubstr("give them in that order")));
  EXPECT_THAT(refusal({first_.url()}),
              AllOf(HasSubstr("with 2 databases, and 1 is given"), HasSubstr("first start")));
  EXPECT_THAT(refusal({first_.url(), first_.url() + "&application_name=other"}),
              HasSubstr("is the same as database 1; give each one once"));
  // One of another cluster in the place of the second.
  second_.run("UPDATE parley.store SET cluster_id = gen_random_uuid()");
  EXPECT_THAT(refusal({first_.url(), second_.url()}),
              AllOf(HasSubstr("database 2 of 2"), HasSubstr("belongs to cluster"),
                    HasSubstr("give the databases of one cluster")));
  EXPECT_THAT(refusal({first_.url(), second_.url(), first_.url()}),
              HasSubstr("--journal: database 1 of 3"));
}

/// Made by a release that knew of one database only.
TEST_F(InTwoDatabases, TablesOfOneDatabaseStayThose) {
  const std::vector<std::string> one{first_.url()};
  const std::string id = [&] { return (*PostgresJournals::open(options(), one))->store_id(); }();
  first_.run(
      "ALTER TABLE parley.store DROP COLUMN cluster_id, DROP COLUMN part, DROP COLUMN parts, "
      "DROP COLUMN begun");
  first_.run("DELETE FROM parley.migrations WHERE version >= 2");
  auto journals = PostgresJournals::open(options(), one);
  ASSERT_TRUE(journals.ok()) << journals.status();
  EXPECT_EQ((*journals)->store_id(), id);
  EXPECT_EQ(first_.run("SELECT count(*) FROM parley.shards"), "256\n");
  EXPECT_THAT(refusal({first_.url(), second_.url()}),
              HasSubstr("with 1 database, and 2 are given"));
}

TEST_F(InTwoDatabases, SeveralNodesMayStartForTheFirstTimeAtOnce) {
  std::vector<std::thread> nodes;
  std::mutex mutex;
  std::set<std::string> ids;
  for (int i = 0; i < 6; ++i) {
    nodes.emplace_back([&] {
      const auto journals = opened();
      const std::lock_guard lock(mutex);
      ids.insert(journals->store_id());
    });
  }
  for (std::thread& node : nodes) node.join();
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_EQ(second_.run("SELECT count(*) FROM parley.shards"), "128\n");
}

}  // namespace
}  // namespace parley::test
