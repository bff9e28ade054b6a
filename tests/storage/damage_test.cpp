#include <algorithm>
#include <set>

#include "parley/storage/v1/storage.pb.h"
#include "storage/codec.hpp"
#include "storage/keys.hpp"
#include "storage/rocks_store.hpp"
#include "storage/stored_conversation.hpp"
#include "tests/storage/local_fixture.hpp"

namespace parley::test {
namespace {

using ::testing::HasSubstr;

class LocalDamage : public LocalFixture {
 protected:
  LocalDamage() { options_.compress = false; }

  /// Two conversations, each commit in a row of its own; the one called "hurt" ends with a message
  /// that is easily found.
  void write_two() {
    open();
    Driver hurt = opened("hurt");
    Driver well = opened("well");
    for (int i = 0; i < 2; ++i) {
      hurt.append_numbered(1);
      well.append_numbered(1);
      ASSERT_TRUE(journal_->flush().ok());
    }
    ASSERT_EQ(hurt.append({canary_}), WriteOutcome::committed);
    well.append_numbered(2);
    well_ = well.state();
  }
  /// Changes the store behind the journal's back, while it is closed.
  void edit(const std::function<void(const RocksStore&, rocksdb::WriteBatch&)>& change) {
    auto store = RocksStore::open({db_dir(), 16U << 20, false});
    ASSERT_TRUE(store.ok()) << store.status();
    rocksdb::WriteBatch batch;
    change(**store, batch);
    ASSERT_TRUE((*store)->write(batch).ok());
    ASSERT_TRUE((*store)->flush().ok());
  }
  void expect_hurt() {
    Driver hurt(*journal_, "hurt");
    const Status status = hurt.load();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("restore a backup"));
    EXPECT_EQ(journal_->read_state(hurt.key(), hurt.shard()).status().code(),
              absl::StatusCode::kDataLoss);
    EXPECT_EQ(opened("well").state(), well_);
  }
  void expect_erasable() {
    Driver hurt(*journal_, "hurt");
    const Status status = journal_->erase(hurt.key(), hurt.shard());
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(journal_->damaged_count(), 0U);
    Driver fresh = opened("hurt");
    EXPECT_FALSE(fresh.state().exists);
    fresh.append_numbered(2);
    EXPECT_EQ(journal_->list({.tenant = "acme"})->conversations.size(), 2U);
    const auto report = journal_->verify({});
    ASSERT_TRUE(report.ok());
    for (const auto& problem : report->problems) ADD_FAILURE() << problem.where << problem.what;
  }

  /// Many conversations, in files of several blocks.
  void write_many() {
    open();
    for (int i = 0; i < k_many; ++i) {
      Driver talk = opened("t" + std::to_string(i));
      talk.append_numbered(1);
    }
    close();
  }
  /// Flips a bit in a block in the middle of each file of a column family.
  void flip_in(const std::string& family) {
    std::vector<std::string> paths;
    edit([&](const RocksStore& store, rocksdb::WriteBatch&) {
      std::vector<rocksdb::LiveFileMetaData> files;
      store.db().GetLiveFilesMetaData(&files);
      for (const auto& file : files) {
        if (file.column_family_name == family) paths.push_back(file.db_path + file.name);
      }
    });
    ASSERT_FALSE(paths.empty());
    for (const auto& path : paths) {
      std::string content = read_file(path);
      content[content.size() / 3] = static_cast<char>(content[content.size() / 3] ^ 0x10);
      write_file(path, content);
    }
  }
  std::set<std::string> all_listed(const ListQuery& from) {
    std::set<std::string> threads;
    ListQuery query = from;
    while (true) {
      const auto page = journal_->list(query);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok() || page->conversations.empty()) return threads;
      unreadable_ = page->unreadable.size();
      for (const auto& row : page->conversations) {
        EXPECT_TRUE(threads.insert(row.thread).second) << row.thread << " comes twice";
      }
      const auto& last = page->conversations.back();
      query.after = {last.last_activity, last.thread};
    }
  }

  static constexpr int k_many = 600;
  size_t unreadable_ = 0;
  const std::string canary_ = "a-canary-to-be-hit-51c2";
  State well_;
};

TEST_F(LocalDamage, AFlippedBitInTheLogConcernsItsConversationAlone) {
  write_two();
  crash();
  ASSERT_TRUE(flip_at(log_dir(), canary_));
  open();
  EXPECT_EQ(journal_->damaged_count(), 1U);
  expect_hurt();
}

TEST_F(LocalDamage, DamageIsRememberedOverRestartsUntilErased) {
  write_two();
  crash();
  ASSERT_TRUE(flip_at(log_dir(), canary_));
  open();
  close();
  open();
  expect_hurt();
  expect_erasable();
  const State after = opened("hurt").state();
  crash();
  open();
  EXPECT_EQ(opened("hurt").state(), after);
}

TEST_F(LocalDamage, ADeletionBehindTheDamageHealsIt) {
  write_two();
  Driver hurt = opened("hurt");
  ASSERT_EQ(hurt.run({DeleteConversation{}}), WriteOutcome::committed);
  Driver well = opened("well");
  well.append_numbered(1);
  crash();
  ASSERT_TRUE(flip_at(log_dir(), canary_));
  open();
  EXPECT_EQ(journal_->damaged_count(), 0U);
  EXPECT_EQ(opened("hurt").state(), State{});
  EXPECT_EQ(opened("well").state(), well.state());
  EXPECT_EQ(journal_->list({.tenant = "acme"})->conversations.size(), 1U);
}

TEST_F(LocalDamage, ATornTailOfTheLogIsCut) {
  write_two();
  const std::string head = read_file(log_dir() + "/0/HEAD");
  Driver well = opened("well");
  ASSERT_EQ(well.append({"a-torn-write-77ab"}), WriteOutcome::committed);
  crash();
  // As after a power cut in the middle of the last group: nothing knows that it was ever whole.
  write_file(log_dir() + "/0/HEAD", head);
  ASSERT_TRUE(flip_at(log_dir(), "a-torn-write-77ab"));
  open();
  EXPECT_EQ(journal_->damaged_count(), 0U);
  Driver again = opened("well");
  EXPECT_EQ(again.state(), well_);
  again.append_numbered(1);
  crash();
  open();
  EXPECT_EQ(opened("well").state(), again.state());
}

TEST_F(LocalDamage, AShortenedLogIsRefused) {
  write_two();
  crash();
  ASSERT_TRUE(flip_at(log_dir(), canary_));
  // The rest of the segment is gone, but HEAD knows that it was longer.
  for (const auto& path : files_with(log_dir(), "m2")) {
    std::string content = read_file(path);
    std::fill(content.begin() + 12288, content.end(), '\0');
    write_file(path, content);
  }
  const Status status = try_open();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST_F(LocalDamage, AMissingLogIsRefused) {
  write_two();
  crash();
  std::filesystem::remove_all(log_dir());
  const Status status = try_open();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST_F(LocalDamage, AFlippedBitInTheStoreIsDataLossForTheRead) {
  write_two();
  close();  // flushed
  ASSERT_TRUE(flip_at(db_dir(), canary_));
  open();
  Driver hurt(*journal_, "hurt");
  EXPECT_EQ(hurt.load().code(), absl::StatusCode::kDataLoss);
  EXPECT_GE(journal_->damaged_count(), 1U);
  EXPECT_GE(journal_->stats().damaged_reads, 1U);
  close();
  const auto report = verify_store(options_.data_dir, {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->problems.empty());
}

TEST_F(LocalDamage, ADamagedIndexHidesNothing) {
  write_many();
  flip_in("index");
  open();
  EXPECT_EQ(all_listed({.tenant = "acme", .count_max = 70}).size(), size_t{k_many});
  EXPECT_EQ(unreadable_, 0U);
  EXPECT_GT(journal_->stats().damaged_reads, 0U);
  EXPECT_EQ(all_listed({.tenant = "other"}).size(), 0U);
  EXPECT_TRUE(journal_->unfinished_releases().ok());
  EXPECT_EQ(opened("t7").state().last_sequence, Sequence{1});
}

TEST_F(LocalDamage, ADamagedBlockKeepsNothingElseFromBeingScrubbed) {
  write_many();
  flip_in("index");
  open();
  Driver talk = opened("t7");
  ASSERT_EQ(talk.append({canary_}), WriteOutcome::committed);
  ASSERT_TRUE(journal_->flush().ok());
  ASSERT_FALSE(files_with(db_dir(), canary_).empty());
  ASSERT_EQ(talk.run({DeleteConversation{}}), WriteOutcome::committed);
  // What the damaged block is in stays due; all else is gone.
  EXPECT_EQ(journal_->scrub().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(files_with(db_dir(), canary_).empty());
  EXPECT_TRUE(files_with(log_dir(), canary_).empty());
  // And the store is used as before.
  Driver after = opened("t8");
  ASSERT_EQ(after.append({"more"}), WriteOutcome::committed);
  ASSERT_TRUE(journal_->flush().ok());
  close();
  open();
  EXPECT_EQ(opened("t8").state().last_sequence, Sequence{2});
}

TEST_F(LocalDamage, VerificationGoesOnBehindADamagedBlockAndNamesWhatItHolds) {
  write_many();
  flip_in("state");
  open();
  size_t unreadable = 0;
  for (int i = 0; i < k_many; ++i) {
    const Driver talk(*journal_, "t" + std::to_string(i));
    unreadable += journal_->read_state(talk.key(), talk.shard()).ok() ? 0 : 1;
  }
  ASSERT_GT(unreadable, 0U);
  ASSERT_LT(unreadable, size_t{k_many});
  const auto report = journal_->verify({});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->conversations, size_t{k_many});
  size_t named = 0;
  bool file = false;
  for (const auto& problem : report->problems) {
    named += problem.where.starts_with("conversation ") ? 1 : 0;
    file = file || problem.where.ends_with(".sst");
  }
  EXPECT_EQ(named, unreadable);
  EXPECT_TRUE(file);
}

TEST_F(LocalDamage, AMissingEventIsDataLoss) {
  write_two();
  const Driver names(*journal_, "hurt");
  close();
  edit([&](const RocksStore& store, rocksdb::WriteBatch& batch) {
    const auto prefix = keys::conversation(names.shard(), names.key());
    ASSERT_TRUE(batch.Delete(store.family(Family::state), keys::event(prefix, {2})).ok());
  });
  open();
  expect_hurt();
  expect_erasable();
}

TEST_F(LocalDamage, AMissingEndIsDataLoss) {
  write_two();
  const Driver names(*journal_, "hurt");
  close();
  edit([&](const RocksStore& store, rocksdb::WriteBatch& batch) {
    const auto prefix = keys::conversation(names.shard(), names.key());
    ASSERT_TRUE(batch.Delete(store.family(Family::state), keys::event(prefix, {4})).ok());
  });
  open();
  expect_hurt();
}

TEST_F(LocalDamage, AMissingMessageIsDataLoss) {
  write_two();
  const Driver names = opened("hurt");
  const Id128 history = names.state().current.history;
  close();
  edit([&](const RocksStore& store, rocksdb::WriteBatch& batch) {
    ASSERT_TRUE(
        batch.Delete(store.family(Family::messages), keys::message(names.shard(), history, {2}))
            .ok());
  });
  open();
  Driver hurt(*journal_, "hurt");
  EXPECT_EQ(hurt.load().code(), absl::StatusCode::kDataLoss);
  expect_erasable();
}

TEST_F(LocalDamage, WhatIsWellIsNotErased) {
  write_two();
  Driver well(*journal_, "well");
  EXPECT_EQ(journal_->erase(well.key(), well.shard()).code(),
            absl::StatusCode::kFailedPrecondition);
}

/// A value as schema 1 wrote it: its header, and a policy without `dedup_seconds`.
std::string schema_1(const google::protobuf::Message& record) {
  return std::string("\x01\x00", 2) + record.SerializeAsString();
}

TEST_F(LocalDamage, ReadsAStoreOfTheFirstSchema) {
  open();
  const Driver names(*journal_, "old");
  close();
  namespace v1 = storage::v1;
  const Id128 history = Driver::fresh_id();
  v1::EventRecord created;
  created.set_version(1);
  created.set_time_us(1'000);
  created.mutable_created()->set_user("ann");
  created.mutable_created()->mutable_policy()->set_hot_window_messages(50);
  created.mutable_created()->mutable_policy()->set_dedup_requests(10);
  created.mutable_created()->mutable_lineage()->set_history(std::string(history.view()));
  v1::EventRecord appended;
  appended.set_version(2);
  appended.set_time_us(2'000);
  appended.mutable_appended()->set_first(1);
  appended.mutable_appended()->set_bytes(5);
  appended.mutable_appended()->add_roles(1);
  v1::MessageRecord message;
  message.set_version(2);
  message.set_create_time_us(2'000);
  message.set_role(1);
  message.set_body("hello");
  edit([&](const RocksStore& store, rocksdb::WriteBatch& batch) {
    const auto prefix = keys::conversation(names.shard(), names.key());
    auto* state = store.family(Family::state);
    ASSERT_TRUE(batch.Put(state, keys::event(prefix, {1}), schema_1(created)).ok());
    ASSERT_TRUE(batch.Put(state, keys::event(prefix, {2}), schema_1(appended)).ok());
    ASSERT_TRUE(
        batch.Put(state, keys::head(prefix), encode_head({{{2}, history, {}, {1}}, {}})).ok());
    ASSERT_TRUE(batch
                    .Put(store.family(Family::messages), keys::message(names.shard(), history, {1}),
                         schema_1(message))
                    .ok());
  });
  open();
  Driver old = opened("old");
  EXPECT_EQ(old.state().version, Version{2});
  EXPECT_EQ(old.state().policy.dedup_seconds, Policy{}.dedup_seconds);
  ASSERT_EQ(old.recent().size(), 1U);
  EXPECT_EQ(*old.recent().front().body, "hello");
  old.append_numbered(1);
  EXPECT_EQ(opened("old").state(), old.state());
}

/// Former releases forgot requests by their age: their snapshots lack what the events still say.
TEST_F(LocalDamage, TakesASnapshotThatRemembersTheNewestRequestsOnly) {
  open();
  Driver talk = opened("talk");
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(talk.run({Driver::say({"word"})}, Driver::fresh_id()), WriteOutcome::committed);
  }
  const State all = talk.state();
  const auto problems_with = [&](size_t first, size_t count) {
    State kept = all;
    kept.dedup.clear();
    for (size_t i = first; i < first + count; ++i) kept.dedup.remember(all.dedup.at(i), 100);
    close();
    edit([&](const RocksStore& store, rocksdb::WriteBatch& batch) {
      const auto prefix = keys::conversation(talk.shard(), talk.key());
      auto* state = store.family(Family::state);
      ASSERT_TRUE(batch.Put(state, keys::snapshot(prefix), encode_state(kept)).ok());
      const HeadRow head{head_of(all), all.version};
      ASSERT_TRUE(batch.Put(state, keys::head(prefix), encode_head(head)).ok());
    });
    open();
    return journal_->verify({})->problems;
  };
  ASSERT_EQ(all.dedup.size(), 4U);
  EXPECT_THAT(problems_with(0, 4), testing::IsEmpty());
  EXPECT_THAT(problems_with(2, 2), testing::IsEmpty());
  EXPECT_THAT(problems_with(0, 2), testing::SizeIs(1));
}

TEST_F(LocalDamage, LeavesWhatANewerReleaseWroteAlone) {
  write_two();
  const Driver names(*journal_, "hurt");
  close();
  edit([&](const RocksStore& store, rocksdb::WriteBatch& batch) {
    const auto prefix = keys::conversation(names.shard(), names.key());
    ASSERT_TRUE(batch
                    .Put(store.family(Family::state), keys::event(prefix, {2}),
                         std::string("\x63\x00later", 7))
                    .ok());
  });
  open();
  Driver hurt(*journal_, "hurt");
  EXPECT_EQ(hurt.load().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(journal_->damaged_count(), 0U);
}

}  // namespace
}  // namespace parley::test
