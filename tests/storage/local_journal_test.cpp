#include "storage/local_journal.hpp"

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/storage/local_fixture.hpp"

namespace parley::test {
namespace {

using ::testing::HasSubstr;

class LocalJournalTest : public LocalFixture {};

TEST_F(LocalJournalTest, OpensAgainAfterAClose) {
  open();
  const std::string store_id = journal_->store_id();
  Driver talk = opened("talk");
  talk.append_numbered(20);
  close();
  open();
  EXPECT_EQ(journal_->store_id(), store_id);
  Driver again = opened("talk");
  EXPECT_EQ(again.state(), talk.state());
  again.append_numbered(1);
  EXPECT_EQ(again.read({20}, {21}), (std::vector<std::string>{"m20", "m21"}));
}

TEST_F(LocalJournalTest, ReplaysTheLogAfterACrash) {
  open();
  Driver talk = opened("talk");
  Driver other = opened("other");
  for (int i = 0; i < 30; ++i) {
    talk.append_numbered(1);
    other.append_numbered(1);
  }
  ASSERT_EQ(other.run({DeleteConversation{}}, Driver::fresh_id()), WriteOutcome::committed);
  ASSERT_TRUE(journal_->raise_epoch({9}, {4}).ok());
  crash();
  open();
  EXPECT_EQ(opened("talk").state(), talk.state());
  EXPECT_EQ(opened("other").state(), other.state());
  EXPECT_EQ(journal_->epoch({9}), Epoch{4});
  EXPECT_EQ(journal_->list({.tenant = "acme"})->conversations.size(), 1U);
}

TEST_F(LocalJournalTest, ReplaysOverWhatWasFlushedInBetween) {
  open();
  Driver talk = opened("talk");
  for (int i = 0; i < 6; ++i) {
    talk.append_numbered(5);
    if (i % 2 == 0) {
      const Status status = journal_->flush();
      ASSERT_TRUE(status.ok()) << status;
    }
  }
  ASSERT_EQ(talk.run({DeleteConversation{}}), WriteOutcome::committed);
  talk.append_numbered(3);
  crash();
  open();
  EXPECT_EQ(opened("talk").state(), talk.state());
  crash();  // again, with nothing done in between
  open();
  Driver again = opened("talk");
  EXPECT_EQ(again.state(), talk.state());
  again.append_numbered(2);
  crash();
  open();
  EXPECT_EQ(opened("talk").state(), again.state());
  EXPECT_TRUE(journal_->verify({})->problems.empty());
}

TEST_F(LocalJournalTest, LetsGoOfTheLogOnceFlushed) {
  open();
  Driver talk = opened("talk");
  const std::string big(50'000, 'x');
  for (int i = 0; i < 120; ++i) ASSERT_EQ(talk.append({big}), WriteOutcome::committed);
  ASSERT_TRUE(journal_->flush().ok());
  // Segments are let go of on a thread of the log's.
  while (journal_->stats().log_segments > 0) std::this_thread::yield();
  crash();
  open();
  EXPECT_EQ(opened("talk").state(), talk.state());
}

TEST_F(LocalJournalTest, CountsTheEventsThatItReadAfterASnapshot) {
  open();
  Driver talk = opened("talk");
  talk.append_numbered(4);
  EXPECT_EQ(journal_->load(talk.key(), talk.shard())->events_since_snapshot, 5U);
  talk.snapshot_next = true;
  talk.append_numbered(1);
  talk.snapshot_next = false;
  EXPECT_EQ(journal_->load(talk.key(), talk.shard())->events_since_snapshot, 0U);
  talk.append_numbered(3);
  EXPECT_EQ(journal_->load(talk.key(), talk.shard())->events_since_snapshot, 3U);
}

TEST_F(LocalJournalTest, RefusesASecondProcess) {
  open();
  auto second = LocalJournal::open(options_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(std::to_string(::getpid())));
}

TEST_F(LocalJournalTest, RefusesAnotherCountOfShards) {
  open();
  close();
  options_.shard_count = 64;
  const Status status = try_open();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("256 shards"));
}

TEST_F(LocalJournalTest, RefusesANewerFormat) {
  open();
  close();
  std::string identity = read_file(options_.data_dir + "/IDENTITY");
  identity.replace(identity.find("\"format\": 1"), 11, "\"format\": 9");
  write_file(options_.data_dir + "/IDENTITY", identity);
  EXPECT_EQ(try_open().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LocalJournalTest, RefusesDataWithoutItsIdentity) {
  open();
  close();
  std::filesystem::remove(options_.data_dir + "/IDENTITY");
  EXPECT_EQ(try_open().code(), absl::StatusCode::kDataLoss);
}

TEST_F(LocalJournalTest, TakesNothingButDeletionsOnAFullDisk) {
  open();
  Driver talk = opened("talk");
  talk.append_numbered(1);
  close();
  options_.disk_floor_bytes = UINT64_MAX / 4;  // more than any disk has
  open();
  EXPECT_TRUE(journal_->disk_full());
  Driver again = opened("talk");
  EXPECT_EQ(again.append({"more"}), WriteOutcome::not_written);
  Driver third = opened("talk");
  EXPECT_EQ(third.run({DeleteConversation{}}), WriteOutcome::committed);
}

TEST_F(LocalJournalTest, ListsPagesAcrossShardsInOrder) {
  open();
  constexpr int k_conversations = 300;
  std::vector<std::string> expected;
  for (int i = 0; i < k_conversations; ++i) {
    Driver talk = opened("t" + std::to_string(i));
    ASSERT_EQ(talk.append({"x"}), WriteOutcome::committed);
    expected.insert(expected.begin(), talk.key().thread);
  }
  std::vector<std::string> all;
  ListQuery query{.tenant = "acme", .count_max = 37};
  while (true) {
    auto page = journal_->list(query);
    ASSERT_TRUE(page.ok()) << page.status();
    const auto& rows = page->conversations;
    if (rows.empty()) break;
    for (const auto& row : rows) all.push_back(row.thread);
    query.after = {rows.back().last_activity, rows.back().thread};
  }
  EXPECT_EQ(all, expected);
}

TEST_F(LocalJournalTest, KeepsTheLogWhereAStartHadNoRoomToFlush) {
  constexpr int k_messages = 40;
  auto free_bytes = std::make_shared<std::atomic<uint64_t>>(1U << 30);
  options_.free_bytes = [free_bytes] { return free_bytes->load(); };
  open();
  Driver talk = opened("t");
  for (int i = 0; i < k_messages; ++i) {
    ASSERT_EQ(talk.append({std::string(100'000, 'x')}), WriteOutcome::committed);
  }
  crash();
  // Several segments are replayed, and what they held stays in memory.
  *free_bytes = 6U << 20;
  open();
  EXPECT_EQ(opened("t").state().last_sequence, Sequence{k_messages});
  // Why: a segment that was let go of in error is renamed by another thread.
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  crash();
  *free_bytes = 1U << 30;
  open();
  EXPECT_EQ(opened("t").state().last_sequence, Sequence{k_messages});
}

TEST_F(LocalJournalTest, ReadersSeeWhatOthersWriteMeanwhile) {
  open();
  Driver talk = opened("talk");
  talk.append_numbered(1);
  std::atomic<uint64_t> told{1};
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      const uint64_t at_least = told;
      auto state = journal_->read_state(talk.key(), talk.shard());
      ASSERT_TRUE(state.ok()) << state.status();
      EXPECT_GE(state->last_sequence.value, at_least);
      const auto page = journal_->read_messages(
          {state->spans(talk.shard()), {1}, state->last_sequence, true}, {.count_max = 10});
      EXPECT_TRUE(page.ok()) << page.status();
    }
  });
  for (int i = 0; i < 200; ++i) {
    talk.append_numbered(1);
    told = talk.state().last_sequence.value;
  }
  done = true;
  reader.join();
}

TEST_F(LocalJournalTest, CountsWhatItDoes) {
  open();
  Driver talk = opened("talk");
  talk.append_numbered(5);
  ASSERT_TRUE(journal_->flush().ok());
  const LocalStats stats = journal_->stats();
  EXPECT_EQ(stats.commits, 5U);
  EXPECT_EQ(stats.groups, 5U);
  EXPECT_EQ(stats.applied_frame, stats.durable_frame);
  EXPECT_EQ(stats.waiting_bytes, 0U);
  EXPECT_GE(stats.flushes, 1U);
  EXPECT_EQ(stats.active, 1U);
  EXPECT_GT(stats.disk_free, 0U);
  EXPECT_EQ(journal_->damaged_count(), 0U);
  EXPECT_FALSE(journal_->failed());
}

}  // namespace
}  // namespace parley::test
