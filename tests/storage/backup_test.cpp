#include "storage/backup.hpp"

#include "storage/data_dir.hpp"
#include "storage/offline.hpp"
#include "tests/storage/local_fixture.hpp"
#include "tests/storage/stamped_store.hpp"

namespace parley::test {
namespace {

using ::testing::HasSubstr;

class LocalBackup : public LocalFixture {
 protected:
  std::string backups() const { return options_.data_dir + "/backups"; }
  std::string restored() const { return directory_.path() + "/restored"; }
};

TEST_F(LocalBackup, RestoresWhatWasThereWhenItWasTaken) {
  open();
  const std::string store_id = journal_->store_id();
  Driver talk = opened("talk");
  talk.append_numbered(10);
  ASSERT_TRUE(journal_->raise_epoch({3}, {7}).ok());
  const State before = talk.state();
  auto backup = journal_->create_backup();
  ASSERT_TRUE(backup.ok()) << backup.status();
  EXPECT_GT(backup->bytes, 0U);
  EXPECT_GT(backup->files, 0U);
  talk.append_numbered(5);
  EXPECT_TRUE(journal_->verify_backup(backup->id).ok());
  close();

  uint64_t told = 0;
  const Status status =
      restore_backup({backups(), 0, restored()}, [&](uint64_t done, uint64_t total) {
        told = done;
        EXPECT_LE(done, total);
      });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_GT(told, 0U);
  const auto report = verify_store(restored(), {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->problems.empty());
  EXPECT_EQ(report->messages, 10U);
  EXPECT_TRUE(report->done);

  options_.data_dir = restored();
  open();
  EXPECT_EQ(journal_->store_id(), store_id);
  EXPECT_EQ(journal_->epoch({3}), Epoch{7});
  Driver again = opened("talk");
  EXPECT_EQ(again.state(), before);
  again.append_numbered(2);
  crash();
  open();
  EXPECT_EQ(opened("talk").state(), again.state());
  close();
  open();  // and once more, now that nothing is in its log
  EXPECT_EQ(opened("talk").state(), again.state());
}

TEST_F(LocalBackup, ARestoredStoreMayBeClosedBeforeAnythingIsWritten) {
  open();
  Driver talk = opened("talk");
  talk.append_numbered(3);
  ASSERT_TRUE(journal_->create_backup().ok());
  close();
  ASSERT_TRUE(restore_backup({backups(), 0, restored()}, {}).ok());
  options_.data_dir = restored();
  open();
  close();
  open();
  Driver again = opened("talk");
  EXPECT_EQ(again.state(), talk.state());
  again.append_numbered(1);
  crash();
  open();
  EXPECT_EQ(opened("talk").state(), again.state());
}

TEST_F(LocalBackup, ListsBackupsOldestFirstAndSharesFiles) {
  open();
  EXPECT_TRUE(journal_->list_backups()->empty());
  Driver talk = opened("talk");
  talk.append_numbered(3);
  ASSERT_TRUE(journal_->create_backup().ok());
  talk.append_numbered(3);
  ASSERT_TRUE(journal_->create_backup().ok());
  auto listed = journal_->list_backups();
  ASSERT_TRUE(listed.ok());
  ASSERT_EQ(listed->size(), 2U);
  EXPECT_LT(listed->front().id, listed->back().id);
  close();
  ASSERT_TRUE(restore_backup({backups(), listed->front().id, restored()}, {}).ok());
  options_.data_dir = restored();
  open();
  EXPECT_EQ(opened("talk").state().last_sequence, Sequence{3});
}

TEST_F(LocalBackup, NeverOverwritesAnything) {
  open();
  ASSERT_TRUE(journal_->create_backup().ok());
  close();
  const Status status = restore_backup({backups(), 0, options_.data_dir}, {});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not exist"));
  open();
}

TEST_F(LocalBackup, AFailedRestoreLeavesNothing) {
  open();
  ASSERT_TRUE(journal_->create_backup().ok());
  close();
  EXPECT_EQ(restore_backup({backups(), 99, restored()}, {}).code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(restored()));
  EXPECT_EQ(restore_backup({directory_.path() + "/none", 0, restored()}, {}).code(),
            absl::StatusCode::kNotFound);
}

TEST_F(LocalBackup, ADamagedBackupIsNotRestored) {
  options_.compress = false;
  open();
  Driver talk = opened("talk");
  ASSERT_EQ(talk.append({"a-canary-in-a-backup"}), WriteOutcome::committed);
  auto backup = journal_->create_backup();
  ASSERT_TRUE(backup.ok());
  close();
  ASSERT_TRUE(flip_at(backups(), "a-canary-in-a-backup"));
  EXPECT_EQ(restore_backup({backups(), 0, restored()}, {}).code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(std::filesystem::exists(restored()));
}

TEST_F(LocalBackup, VerificationNeedsTheStoreForItself) {
  open();
  EXPECT_EQ(verify_store(options_.data_dir, {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(verify_store(directory_.path() + "/none", {}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(LocalBackup, VerificationReadsEverything) {
  open();
  Driver root = opened("root");
  root.append_numbered(10);
  root.snapshot_next = true;
  root.append_numbered(1);
  root.snapshot_next = false;
  Driver child = root.fork("child", Sequence{5});
  child.append_numbered(3);
  root.append_numbered(2);
  ASSERT_EQ(root.run({DeleteConversation{}}, Driver::fresh_id()), WriteOutcome::committed);
  Driver other = opened("other");
  other.append_numbered(4);
  ASSERT_EQ(other.run({ResetConversation{}}), WriteOutcome::committed);
  other.append_numbered(1);
  int calls = 0;
  auto report = journal_->verify([&](const VerifyReport&) { ++calls; });
  ASSERT_TRUE(report.ok()) << report.status();
  for (const auto& problem : report->problems)
    ADD_FAILURE() << problem.where << ": " << problem.what;
  EXPECT_EQ(report->conversations, 3U);
  EXPECT_EQ(report->messages, 5U + 3U + 1U);
  EXPECT_GT(calls, 0);
  crash();  // offline, with frames in the log that were not applied
  report = verify_store(options_.data_dir, {});
  ASSERT_TRUE(report.ok()) << report.status();
  for (const auto& problem : report->problems)
    ADD_FAILURE() << problem.where << ": " << problem.what;
  open();
  EXPECT_EQ(opened("child").state(), child.state());
}

using BackupOfAStore = StampedStore;

// RocksDB's own flush before a backup took some families with a batch and others without it.
TEST_F(BackupOfAStore, IsOfOneMomentAmidWrites) {
  int number = 0;
  look_while_writing(12, [&] {
    EXPECT_TRUE(store_->flush().ok());
    const std::string backups = dir_.path() + "/backups";
    const std::string copy = dir_.path() + "/copy-" + std::to_string(++number);
    const auto made = make_backup(*store_, Identity{.store_id = Driver::fresh_id()}, backups);
    EXPECT_TRUE(made.ok()) << made.status();
    if (!made.ok()) return std::string();
    const auto copied = copy_backup(backups, made->id, copy, nullptr);
    EXPECT_TRUE(copied.ok()) << copied.status();
    return stamp_in_files(copy);
  });
}

}  // namespace
}  // namespace parley::test
