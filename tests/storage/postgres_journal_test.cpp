#include "storage/postgres_journal.hpp"

#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include "storage/postgres_journals.hpp"
#include "tests/storage/journal_driver.hpp"
#include "tests/storage/postgres_instance.hpp"

namespace parley::test {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class InPostgres : public testing::Test {
 protected:
  InPostgres() { database_.empty(); }

  static std::vector<std::string> urls() { return {PostgresInstance::of_this_process().url()}; }
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
  static std::unique_ptr<PostgresJournals> opened() { return opened(options()); }
  static std::unique_ptr<PostgresJournals> opened(const PostgresOptions& options) {
    auto journal = PostgresJournals::open(options, urls());
    EXPECT_TRUE(journal.ok()) << journal.status();
    return *std::move(journal);
  }
  /// Until the database is back and says what became of everything.
  static void load_at_last(Driver& driver) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    Status status;
    while (std::chrono::steady_clock::now() < until) {
      status = driver.load();
      if (status.ok()) return;
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
      std::this_thread::sleep_for(milliseconds(5));
    }
    FAIL() << status;
  }

  PostgresInstance& database_ = PostgresInstance::of_this_process();
};

/// With the SQL that a person would write.
TEST_F(InPostgres, ConversationsAndMessagesCanBeRead) {
  auto journal = opened();
  Driver talk(*journal, "talk");
  ASSERT_TRUE(talk.load().ok());
  CreateConversation create{.user = "ann", .title = "Hello", .metadata = R"({"a":[1]})"};
  create.labels = {{"team", "red"}};
  ASSERT_EQ(talk.run({create}), WriteOutcome::committed);
  // As the API would encode them: field 4 is the content.
  const std::string hello("\x22\x05hello");
  ASSERT_EQ(talk.append({hello, std::string("\x22\x03"
                                            "a\0b",
                                            5)}),
            WriteOutcome::committed);
  EXPECT_EQ(database_.run("SELECT user_id, title, metadata->'a'->>0, labels->>'team', lifecycle, "
                          "message_count, version FROM parley.conversations WHERE thread_id = "
                          "'talk' AND tenant = 'acme'"),
            "ann|Hello|1|red|active|2|2\n");
  EXPECT_EQ(database_.run("SELECT sequence, role, content FROM parley.messages WHERE thread_id = "
                          "'talk' ORDER BY sequence"),
            "1|user|hello\n2|user|a\xef\xbf\xbd"
            "b\n");
  ASSERT_EQ(talk.run({DeleteConversation{}}, Driver::fresh_id()), WriteOutcome::committed);
  EXPECT_EQ(database_.run("SELECT is_live, title, user_id FROM parley.conversations"), "f||\n");
  EXPECT_EQ(database_.run("SELECT count(*) FROM parley.messages"), "0\n");
  EXPECT_EQ(database_.run("SELECT count(*) FROM parley.events"), "0\n");
}

TEST_F(InPostgres, WhatIsLeftOfADeletionIsForgottenInTheEnd) {
  auto journal = opened();
  Driver talk(*journal, "talk");
  ASSERT_TRUE(talk.load().ok());
  ASSERT_EQ(talk.run({Driver::say({"brief"})}, Driver::fresh_id()), WriteOutcome::committed);
  ASSERT_EQ(talk.run({DeleteConversation{}}, Driver::fresh_id()), WriteOutcome::committed);
  Driver parent(*journal, "parent");
  ASSERT_TRUE(parent.load().ok());
  parent.append_numbered(2);
  Driver child = parent.fork("child");
  ASSERT_EQ(parent.run({DeleteConversation{}}, Driver::fresh_id()), WriteOutcome::committed);
  ASSERT_TRUE(journal->purge().ok());
  EXPECT_EQ(database_.run("SELECT count(*) FROM parley.conversations WHERE NOT is_live"), "2\n");
  // Whatever the nodes' clocks say: only the database's counts.
  EXPECT_EQ(
      database_.run("UPDATE parley.conversations SET forget_time = forget_time - interval '23 "
                    "hours' WHERE forget_time > now() + interval '23 hours' RETURNING 1"),
      "1\n");
  ASSERT_TRUE(journal->purge().ok());
  EXPECT_EQ(database_.run("SELECT count(*) FROM parley.conversations WHERE NOT is_live"), "2\n");
  database_.run("UPDATE parley.conversations SET forget_time = forget_time - interval '1 hour'");
  ASSERT_TRUE(journal->purge().ok());
  EXPECT_EQ(database_.run("SELECT thread_id FROM parley.conversations WHERE NOT is_live"),
            "parent\n")
      << "its fork still needs it";
  EXPECT_THAT(child.read({1}, {2}), ElementsAre("m1", "m2"));
}

/// Two nodes, of which one does not know that the other has taken over: the tables decide.
TEST_F(InPostgres, ANodeThatWasReplacedWritesNothing) {
  auto old_node = opened();
  Driver old_owner(*old_node, "talk");
  ASSERT_TRUE(old_owner.load().ok());
  old_owner.append_numbered(3);
  auto new_node = opened();
  ASSERT_TRUE(new_node->raise_epoch(old_owner.shard(), {2}).ok());
  EXPECT_EQ(old_node->epoch(old_owner.shard()), Epoch{1}) << "it was told nothing";
  EXPECT_EQ(old_owner.append({"zombie"}), WriteOutcome::fenced);
  Driver new_owner(*new_node, "talk");
  new_owner.epoch = {2};
  ASSERT_TRUE(new_owner.load().ok());
  new_owner.append_numbered(1);
  EXPECT_THAT(new_owner.read({1}, {9}), ElementsAre("m1", "m2", "m3", "m4"));
}

/// A shard that another node took while the outcome of a write was unknown is that one's: its epoch
/// is nothing for this node to write under.
TEST_F(InPostgres, AWriteOfUnknownOutcomeDoesNotEndInAnothersEpoch) {
  auto journal = opened();
  Driver talk(*journal, "talk");
  ASSERT_TRUE(talk.load().ok());
  ASSERT_EQ(talk.append({"m1"}), WriteOutcome::committed);
  const std::unique_ptr<PGconn, void (*)(PGconn*)> another(PQconnectdb(database_.url().c_str()),
                                                           &PQfinish);
  const auto run = [&](const std::string& sql) { PQclear(PQexec(another.get(), sql.c_str())); };
  run("BEGIN");
  run("UPDATE parley.shards SET epoch = epoch + 1");
  WriteOutcome outcome = WriteOutcome::committed;
  std::thread writer([&] { outcome = talk.append({"m2"}); });
  const std::string waiting =
      "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = "
      "'Lock' AND query LIKE '%commit_1%'";
  while (database_.run(waiting) == "0\n") {
  }
  writer.join();
  EXPECT_EQ(outcome, WriteOutcome::unknown);
  run("COMMIT");
  Driver again(*journal, "talk");
  load_at_last(again);
  EXPECT_EQ(journal->epoch(talk.shard()), Epoch{1}) << "ownership was told nothing";
  EXPECT_EQ(again.append({"m3"}), WriteOutcome::fenced);
}

/// Without the fence: the version that is stored decides.
TEST_F(InPostgres, OfTwoOwnersUnderOneEpochOneWrites) {
  auto one = opened();
  auto other = opened();
  Driver here(*one, "talk");
  Driver there(*other, "talk");
  ASSERT_TRUE(here.load().ok());
  ASSERT_TRUE(there.load().ok());
  ASSERT_EQ(here.append({"first"}), WriteOutcome::committed);
  EXPECT_EQ(there.append({"second"}), WriteOutcome::conflict);
  EXPECT_EQ(database_.run("SELECT count(*) FROM parley.messages"), "1\n");
}

/// Clients that append as long as they may, and what they were told.
class Writers {
 public:
  Writers(Journal& journal, int count) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, &journal, i] { write(journal, "talk-" + std::to_string(i)); });
    }
  }
  ~Writers() { stop(); }
  void stop() {
    over_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  std::atomic<int> committed{0};
  std::atomic<int> unknown{0};
  std::atomic<int> refused{0};
  /// By conversation: what must be there, and what may be.
  std::map<std::string, std::vector<std::string>> acknowledged;

 private:
  void write(Journal& journal, const std::string& thread) {
    std::vector<std::string> told;
    Driver driver(journal, thread);
    bool loaded = false;
    for (int i = 0; !over_; ++i) {
      if (!loaded) {
        driver = Driver(journal, thread);
        loaded = driver.load().ok();
        driver.epoch = journal.epoch(driver.shard());
        if (!loaded) std::this_thread::sleep_for(milliseconds(2));
        continue;
      }
      const std::string body = thread + " " + std::to_string(i);
      const WriteOutcome outcome = driver.append({body});
      if (outcome == WriteOutcome::committed) {
        told.push_back(body);
        ++committed;
        continue;
      }
      ++(outcome == WriteOutcome::unknown ? unknown : refused);
      journal.release(driver.key());
      loaded = false;
    }
    if (loaded) journal.release(driver.key());
    const std::lock_guard lock(mutex_);
    acknowledged[thread] = std::move(told);
  }

  std::atomic<bool> over_{false};
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

/// The parameter: commits of one group, few so that several groups are under way at once.
class InPostgresUnderFaults : public InPostgres, public testing::WithParamInterface<size_t> {
 protected:
  static std::unique_ptr<PostgresJournals> opened_with_groups() {
    PostgresOptions some = options();
    some.lanes = 1;
    some.group_commits_max = GetParam();
    return opened(some);
  }
  /// Nothing that was acknowledged is lost, doubled, or out of order.
  void expect_all_there(Journal& journal, Writers& writers) {
    writers.stop();
    for (const auto& [thread, told] : writers.acknowledged) {
      Driver driver(journal, thread);
      load_at_last(driver);
      const auto stored = driver.read({1}, driver.state().last_sequence, false,
                                      {.count_max = 1'000'000, .bytes_max = 1U << 30});
      size_t found = 0;
      std::set<std::string> seen;
      for (const std::string& body : stored) {
        EXPECT_TRUE(seen.insert(body).second) << body << " is there twice";
        found += found < told.size() && body == told[found] ? 1 : 0;
      }
      EXPECT_EQ(found, told.size()) << thread;
    }
  }
};

TEST_P(InPostgresUnderFaults, OneCommitThatCannotBeStoredHoldsUpNoOther) {
  auto journal = opened_with_groups();
  std::vector<Driver> drivers;
  for (int i = 0; i < 20; ++i) {
    drivers.emplace_back(*journal, "talk-" + std::to_string(i));
    ASSERT_TRUE(drivers.back().load().ok());
  }
  Outcomes outcomes[20];
  for (size_t i = 0; i < 20; ++i) {
    CreateConversation create;
    if (i == 7) create.metadata = "no JSON";
    journal->commit(drivers[i].make({create}), &outcomes[i]);
  }
  for (size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(outcomes[i].wait(), i == 7 ? WriteOutcome::not_written : WriteOutcome::committed);
    outcomes[i].wait_for_flush(1);
  }
}

TEST_P(InPostgresUnderFaults, LosesNothingWhileTheDatabaseDiesAndComesBack) {
  auto journal = opened_with_groups();
  Writers writers(*journal, 8);
  for (int round = 1; round <= 5; ++round) {
    std::this_thread::sleep_for(milliseconds(300));
    while (writers.committed < 21 * round) std::this_thread::sleep_for(milliseconds(5));
    database_.kill();
    std::this_thread::sleep_for(milliseconds(100));
    database_.start();
  }
  std::this_thread::sleep_for(milliseconds(300));
  writers.stop();
  EXPECT_GT(writers.committed, 100);
  EXPECT_GT(writers.unknown + writers.refused, 0);
  expect_all_there(*journal, writers);
}

/// Statements that were given up may still be carried out when the database goes on: the epochs are
/// raised before anybody is told anything else.
TEST_P(InPostgresUnderFaults, LosesNothingWhileTheDatabaseStandsStill) {
  auto journal = opened_with_groups();
  Writers writers(*journal, 8);
  while (writers.committed < 50) std::this_thread::sleep_for(milliseconds(5));
  database_.pause();
  std::this_thread::sleep_for(milliseconds(4'000));
  database_.go_on();
  std::this_thread::sleep_for(milliseconds(1'000));
  writers.stop();
  EXPECT_GT(writers.unknown, 0);
  expect_all_there(*journal, writers);
  EXPECT_NE(database_.run("SELECT max(epoch) FROM parley.shards"), "1\n");
}

TEST_P(InPostgresUnderFaults, LosesNothingWhileItsSessionsAreEnded) {
  auto journal = opened_with_groups();
  Writers writers(*journal, 8);
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < 40; ++round) {
    std::this_thread::sleep_for(milliseconds(random() % 50));
    database_.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
        "'parley' AND random() < 0.5");
  }
  expect_all_there(*journal, writers);
  EXPECT_GT(writers.committed, 100);
}

INSTANTIATE_TEST_SUITE_P(Groups, InPostgresUnderFaults, testing::Values(128, 2));

TEST_F(InPostgres, RefusesTablesThatAreNotItsOwn) {
  opened();
  PostgresOptions fewer = options();
  fewer.shard_count = 16;
  const auto other = PostgresJournals::open(fewer, urls());
  EXPECT_EQ(other.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(other.status().message().find("256 shards, not 16"), std::string::npos);
  database_.run("INSERT INTO parley.migrations (version) VALUES (1000)");
  const auto older = PostgresJournals::open(options(), urls());
  EXPECT_EQ(older.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(older.status().message().find("use the newer release"), std::string::npos);
}

TEST_F(InPostgres, RefusesADatabaseThatMayLoseWhatItCommitted) {
  PostgresOptions strict = options();
  strict.accept_async_loss = false;
  const auto refused = PostgresJournals::open(strict, urls());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.status().message().find("fsync is off"), std::string::npos);
}

TEST_F(InPostgres, TablesOfAFormerReleaseAreBroughtUpToDate) {
  {
    auto journal = opened();
    Driver talk(*journal, "talk");
    ASSERT_TRUE(talk.load().ok());
    talk.append_numbered(1);
  }
  database_.run(
      "DROP INDEX parley.conversations_by_user, parley.conversations_by_label; CREATE INDEX "
      "conversations_by_user ON parley.conversations (tenant, user_id) WHERE is_live; CREATE INDEX "
      "conversations_by_label ON parley.conversations USING gin (labels jsonb_path_ops) WHERE "
      "is_live; UPDATE parley.conversations SET user_id = ''; DELETE FROM parley.migrations WHERE "
      "version = 3");
  auto journal = opened();
  EXPECT_EQ(
      database_.run("SELECT count(*) FROM pg_indexes WHERE schemaname = 'parley' AND "
                    "(indexdef LIKE '%user_id IS NOT NULL%' OR indexdef LIKE '%labels <> %')"),
      "2\n");
  EXPECT_EQ(database_.run("SELECT count(user_id) FROM parley.conversations"), "0\n");
  Driver talk(*journal, "talk");
  ASSERT_TRUE(talk.load().ok());
  talk.append_numbered(1);
}

TEST_F(InPostgres, SeveralNodesMayMakeTheTablesAtOnce) {
  std::vector<std::thread> nodes;
  std::mutex mutex;
  std::set<std::string> ids;
  for (int i = 0; i < 6; ++i) {
    nodes.emplace_back([&] {
      auto journal = opened();
      const std::lock_guard lock(mutex);
      ids.insert(journal->store_id());
    });
  }
  for (std::thread& node : nodes) node.join();
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_EQ(database_.run("SELECT count(*), max(version) FROM parley.migrations"), "3|3\n");
}

}  // namespace
}  // namespace parley::test
