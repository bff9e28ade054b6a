#include "storage/upkeep.hpp"

#include <atomic>

#include "tests/storage/local_fixture.hpp"

namespace parley::test {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

class LocalErasure : public LocalFixture {
 protected:
  LocalErasure() {
    options_.compress = false;
  }  // so that stored bytes are found by looking for them
  const std::string secret_ = "a-secret-that-must-go-6f1b";
  static constexpr uint64_t k_much = 1ULL << 40;
  std::atomic<uint64_t> free_bytes_{k_much};  ///< where a test asks for it
};

TEST_F(LocalErasure, DeletionLeavesNoByteInAnyFile) {
  open();
  Driver keep = opened("keep");
  Driver talk = opened("talk");
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(talk.append({"before " + secret_ + " after"}), WriteOutcome::committed);
    keep.append_numbered(1);
  }
  UpdateConversation update;
  update.title = "title " + secret_;
  update.labels_patch = std::map<std::string, std::string>{{"label", secret_}};
  ASSERT_EQ(talk.run({update}), WriteOutcome::committed);
  ASSERT_TRUE(journal_->flush().ok());
  ASSERT_EQ(talk.append({secret_}), WriteOutcome::committed);
  // The test can see what it looks for.
  EXPECT_THAT(files_with(log_dir(), secret_), Not(IsEmpty()));
  EXPECT_THAT(files_with(db_dir(), secret_), Not(IsEmpty()));
  ASSERT_EQ(talk.run({DeleteConversation{}}), WriteOutcome::committed);
  const Status status = journal_->scrub();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(files_with(options_.data_dir, secret_), IsEmpty());
  EXPECT_EQ(opened("keep").state(), keep.state());
  EXPECT_TRUE(journal_->verify({})->problems.empty());
  close();
  EXPECT_THAT(files_with(options_.data_dir, secret_), IsEmpty());
  open();
  EXPECT_EQ(opened("keep").state(), keep.state());
}

TEST_F(LocalErasure, AResetErasesItsMessagesToo) {
  open();
  Driver talk = opened("talk");
  ASSERT_EQ(talk.append({secret_}), WriteOutcome::committed);
  ASSERT_TRUE(journal_->flush().ok());
  ASSERT_EQ(talk.run({ResetConversation{}}), WriteOutcome::committed);
  const Status status = journal_->scrub();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(files_with(options_.data_dir, secret_), IsEmpty());
}

TEST_F(LocalErasure, WhatAForkNeedsStaysUntilItIsReleased) {
  open();
  Driver root = opened("root");
  ASSERT_EQ(root.append({secret_}), WriteOutcome::committed);
  Driver child = root.fork("child");
  ASSERT_EQ(root.run({DeleteConversation{}}), WriteOutcome::committed);
  ASSERT_TRUE(journal_->scrub().ok());
  EXPECT_EQ(child.read({1}, {1}), std::vector<std::string>{secret_});
  ASSERT_EQ(child.run({DeleteConversation{}}), WriteOutcome::committed);
  const Id128 link = child.state().pending_releases.front().child_history;
  ASSERT_EQ(root.run({ReleaseFork{link}}), WriteOutcome::committed);
  ASSERT_EQ(child.run({ConfirmRelease{link}}), WriteOutcome::committed);
  const Status status = journal_->scrub();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(files_with(options_.data_dir, secret_), IsEmpty());
}

TEST_F(LocalErasure, AScrubThatWasDueBeforeACrashIsDoneAfterIt) {
  open();
  Driver talk = opened("talk");
  ASSERT_EQ(talk.append({secret_}), WriteOutcome::committed);
  ASSERT_TRUE(journal_->flush().ok());
  ASSERT_EQ(talk.run({DeleteConversation{}}), WriteOutcome::committed);
  crash();
  open();
  const Status status = journal_->scrub();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(files_with(db_dir(), secret_), IsEmpty());
  EXPECT_THAT(files_with(log_dir(), secret_), IsEmpty());
}

TEST_F(LocalErasure, LongConversationsGoAsRanges) {
  open();
  Driver talk = opened("talk");
  // Each fills a row.
  const std::string large = secret_ + std::string(17'000, 'x');
  for (int i = 0; i < 30; ++i) {
    ASSERT_EQ(talk.append(std::vector<std::string>(10, large)), WriteOutcome::committed);
  }
  const auto spans = talk.spans();
  ASSERT_EQ(talk.run({DeleteConversation{}}), WriteOutcome::committed);
  EXPECT_FALSE(journal_->read_messages({spans, {1}, {1}, false}, {}).ok());
  ASSERT_TRUE(journal_->scrub().ok());
  EXPECT_THAT(files_with(options_.data_dir, secret_), IsEmpty());
  talk.append_numbered(2);
  EXPECT_EQ(opened("talk").state(), talk.state());
}

// Its file was dropped whole while the part that stays, written anew, was in memory only.
TEST_F(LocalErasure, ARowThatAForkShowsInPartSurvivesACrashAmidAScrub) {
  options_.free_bytes = [this] { return free_bytes_.load(); };
  open();
  Driver parent = opened("parent");
  ASSERT_EQ(parent.append({"m1", "m2", "m3", secret_}), WriteOutcome::committed);
  Driver other = opened("other");
  other.append_numbered(1);
  ASSERT_TRUE(journal_->flush().ok());
  // Moves the row to the last level, alone in its file: those of level 0 are never dropped.
  ASSERT_EQ(other.run({DeleteConversation{}}), WriteOutcome::committed);
  ASSERT_TRUE(journal_->scrub().ok());
  Driver child = parent.fork("child", Sequence{2});
  free_bytes_ = 0;  // so that the scrub comes as far as its flush
  ASSERT_EQ(parent.run({DeleteConversation{}}), WriteOutcome::committed);
  EXPECT_EQ(journal_->scrub().code(), absl::StatusCode::kResourceExhausted);
  crash();
  free_bytes_ = k_much;
  open();
  EXPECT_EQ(opened("child").read({1}, {2}), (std::vector<std::string>{"m1", "m2"}));
  const Status status = journal_->scrub();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(files_with(options_.data_dir, secret_), IsEmpty());
  EXPECT_EQ(opened("child").read({1}, {2}), (std::vector<std::string>{"m1", "m2"}));
  EXPECT_TRUE(journal_->verify({})->problems.empty());
}

}  // namespace
}  // namespace parley::test
