#include <atomic>
#include <cerrno>

#include "storage/log/disk.hpp"
#include "tests/storage/local_fixture.hpp"

namespace parley::test {
namespace {

/// A disk that can be told to fail. What it can do wrong: refuse writes and syncs with an error,
/// refuse to make files longer.
class FailingDisk final : public log::Disk {
 public:
  ssize_t write(int file, const char* bytes, size_t count, uint64_t offset) override {
    if (!fail_writes) return log::Disk::write(file, bytes, count, offset);
    errno = EIO;
    return -1;
  }
  int sync(int file) override {
    if (!fail_writes) return log::Disk::sync(file);
    errno = EIO;
    return -1;
  }
  int allocate(int file, uint64_t bytes) override {
    if (!fail_allocations) return log::Disk::allocate(file, bytes);
    errno = ENOSPC;
    return -1;
  }
  std::atomic<bool> fail_writes{false};
  std::atomic<bool> fail_allocations{false};
};

class FailingLog : public LocalFixture {
 protected:
  FailingLog() {
    options_.disk = &disk_;
    options_.on_fatal = [this](std::string why) { fatal_ = std::move(why); };
  }
  FailingDisk disk_;
  std::string fatal_;
};

TEST_F(FailingLog, AFailedSyncEndsTheJournal) {
  open();
  Driver talk = opened("talk");
  talk.append_numbered(2);
  Driver other = opened("other");
  const State before = talk.state();
  disk_.fail_writes = true;
  EXPECT_EQ(talk.append({"lost or not"}), WriteOutcome::unknown);
  disk_.fail_writes = false;  // it is not tried again, whatever the disk says now
  EXPECT_TRUE(journal_->failed());
  EXPECT_FALSE(fatal_.empty());
  EXPECT_EQ(other.append({"refused"}), WriteOutcome::not_written);
  EXPECT_EQ(journal_->raise_epoch({1}, {2}).code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(journal_->read_state(talk.key(), talk.shard()).ok());
  close();
  open();
  Driver again = opened("talk");
  const bool was_written = again.state() == talk.state();
  EXPECT_TRUE(was_written || again.state() == before);
  EXPECT_FALSE(opened("other").state().exists);
}

TEST_F(FailingLog, WithoutRoomForTheLogNothingIsWrittenUntilThereIs) {
  open();
  Driver talk = opened("talk");
  talk.append_numbered(1);
  disk_.fail_allocations = true;
  const std::string big(200'000, 'x');
  // Segments that are there already take some more.
  WriteOutcome outcome = WriteOutcome::committed;
  State stored = talk.state();
  for (int i = 0; i < 100 && outcome == WriteOutcome::committed; ++i) {
    stored = talk.state();
    outcome = talk.append({big});
  }
  ASSERT_EQ(outcome, WriteOutcome::not_written);
  EXPECT_FALSE(journal_->failed());
  disk_.fail_allocations = false;
  Driver again = opened("talk");
  EXPECT_EQ(again.state(), stored);
  // The lane makes a segment in the background.
  while (again.append({"room again"}) != WriteOutcome::committed) {
    ASSERT_TRUE(again.load().ok());
  }
  EXPECT_EQ(opened("talk").state(), again.state());
}

TEST_F(FailingLog, WhatWaitsBehindAFailedCommitIsRefused) {
  open();
  Driver talk = opened("talk");
  talk.append_numbered(1);
  disk_.fail_writes = true;
  Outcomes outcomes;
  constexpr size_t k_commits = 20;
  for (size_t i = 0; i < k_commits; ++i) {
    journal_->commit(talk.make({Driver::say({"x"})}), &outcomes);
  }
  for (size_t i = 0; i < k_commits; ++i) EXPECT_NE(outcomes.wait(i), WriteOutcome::committed);
  close();
}

}  // namespace
}  // namespace parley::test
