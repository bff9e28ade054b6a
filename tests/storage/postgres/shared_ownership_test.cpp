#include "storage/postgres/shared_ownership.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include "storage/postgres_journals.hpp"
#include "tests/storage/postgres_instance.hpp"

namespace parley::postgres {
namespace {

using test::PostgresInstance;
using testing::Each;
using testing::Field;

constexpr uint32_t k_shards = 4;

Member member(const std::string& node, uint8_t start) {
  Id128 incarnation;
  incarnation.bytes[15] = start;
  return {node, incarnation, node + ":1", false, 0};
}

/// The tables of ownership as the database has them.
class InTables : public testing::Test {
 protected:
  InTables() {
    database_.empty();
    PostgresOptions options;
    options.shard_count = k_shards;
    options.accept_async_loss = true;
    const auto opened = PostgresJournals::open(options, {database_.url()});
    EXPECT_TRUE(opened.ok()) << opened.status();
  }
  /// True where it was a member.
  bool join(const Member& self) {
    const auto joined = table_.join(self);
    EXPECT_TRUE(joined.ok()) << joined.status();
    return joined.ok() && *joined;
  }
  std::vector<OwnedShard> shards() {
    const auto read = table_.read();
    EXPECT_TRUE(read.ok()) << read.status();
    return read->shards;
  }

  PostgresInstance& database_ = PostgresInstance::of_this_process();
  std::atomic<bool> away_{false};
  SharedOwnership table_{{.url = database_.url()}, away_};
  const Member ann_ = member("ann", 1);
  const Member bob_ = member("bob", 2);
};

TEST_F(InTables, GivesWhatNobodyHasToWhoTakesIt) {
  ASSERT_TRUE(join(ann_));
  ASSERT_TRUE(table_.take(ann_, shards()).ok());
  EXPECT_THAT(shards(), Each(Field(&OwnedShard::node, "ann")));
  ASSERT_TRUE(join(bob_));
  ASSERT_TRUE(table_.take(bob_, shards()).ok());
  EXPECT_THAT(shards(), Each(Field(&OwnedShard::node, "ann"))) << "ann lives";
}

/// A statement that waited for a row looks at that row again, and not at who is a member.
TEST_F(InTables, TakesNothingThatIsBeingTaken) {
  ASSERT_TRUE(join(ann_));
  ASSERT_TRUE(join(bob_));
  const auto as_read = shards();
  const std::unique_ptr<PGconn, void (*)(PGconn*)> ann(PQconnectdb(database_.url().c_str()),
                                                       &PQfinish);
  const auto run = [&](const std::string& sql) { PQclear(PQexec(ann.get(), sql.c_str())); };
  run("BEGIN");
  run("UPDATE parley.shards SET epoch = epoch + 1, owner = 'ann', owner_incarnation = "
      "'00000000-0000-0000-0000-000000000001'");
  Status taken;
  std::thread bob([&] { taken = table_.take(bob_, as_read); });
  while (database_.run("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") ==
         "0\n") {
  }
  run("COMMIT");
  bob.join();
  ASSERT_TRUE(taken.ok()) << taken;
  EXPECT_THAT(shards(), Each(Field(&OwnedShard::node, "ann")));
}

TEST_F(InTables, AGiftToOneselfEndsAnEarlierOne) {
  ASSERT_TRUE(join(ann_));
  ASSERT_TRUE(join(bob_));
  ASSERT_TRUE(table_.take(ann_, shards()).ok());
  const OwnedShard before = shards()[0];
  ASSERT_TRUE(table_.give(ann_, before.shard, before.epoch, ann_).ok());
  ASSERT_TRUE(table_.give(ann_, before.shard, before.epoch, bob_).ok());
  EXPECT_EQ(shards()[0].node, "ann");
  EXPECT_EQ(shards()[0].epoch.value, before.epoch.value + 1);
}

}  // namespace
}  // namespace parley::postgres
