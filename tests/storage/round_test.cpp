#include <thread>

#include "storage/keys.hpp"
#include "storage/rocks_store.hpp"
#include "tests/storage/local_fixture.hpp"

/// Events and messages that are applied together share rows of the store.
namespace parley::test {
namespace {

class StoredRows : public LocalFixture {
 protected:
  StoredRows() { options_.compress = false; }

  size_t rows_of(Family family) {
    auto store = RocksStore::open_read_only({db_dir(), 16U << 20, false});
    EXPECT_TRUE(store.ok()) << store.status();
    const StoreView view(**store);
    auto scan = view.scan(family, {});
    size_t rows = 0;
    for (scan.seek(""); scan.valid(); scan.next()) ++rows;
    EXPECT_TRUE(scan.status().ok());
    return rows;
  }
  static std::vector<std::string> numbered(uint64_t from, uint64_t to) {
    std::vector<std::string> bodies;
    for (uint64_t i = from; i <= to; ++i) bodies.push_back("m" + std::to_string(i));
    return bodies;
  }
  /// One commit of several appends, so that one round applies them however slow the machine is.
  static void append_together(Driver& driver, const std::vector<std::string>& bodies) {
    std::vector<Command> commands;
    for (const std::string& body : bodies) commands.emplace_back(Driver::say({body}));
    ASSERT_EQ(driver.run(std::move(commands)), WriteOutcome::committed);
  }
  void expect_sound() {
    const auto report = journal_->verify({});
    ASSERT_TRUE(report.ok()) << report.status();
    for (const auto& problem : report->problems) {
      ADD_FAILURE() << problem.where << ": " << problem.what;
    }
  }
};

TEST_F(StoredRows, HoldWhatIsAppliedTogether) {
  open();
  Driver talk = opened("talk");
  append_together(talk, numbered(1, 40));
  close();
  EXPECT_EQ(rows_of(Family::messages), 1U);
  open();
  opened("talk").append_numbered(1);
  close();
  EXPECT_EQ(rows_of(Family::messages), 2U);
  open();
  expect_sound();
  EXPECT_EQ(opened("talk").state().last_sequence, Sequence{41});
}

TEST_F(StoredRows, AreReadFromAnyMessageInBothDirections) {
  open();
  Driver talk = opened("talk");
  for (const size_t together : {1, 30, 3, 17}) {
    talk.append_numbered(together);
    ASSERT_TRUE(journal_->flush().ok());
  }
  const uint64_t last = talk.state().last_sequence.value;
  for (uint64_t from = 1; from <= last; ++from) {
    for (const uint64_t to : {from, std::min(from + 5, last), last}) {
      auto expected = numbered(from, to);
      EXPECT_EQ(talk.read({from}, {to}, false, {.count_max = 100}), expected);
      std::reverse(expected.begin(), expected.end());
      EXPECT_EQ(talk.read({from}, {to}, true, {.count_max = 100}), expected);
    }
  }
}

TEST_F(StoredRows, AreReadAsOfAndAfterAnyVersion) {
  open();
  Driver talk = opened("talk");
  std::vector<State> states{State{}, State{}};
  for (int i = 0; i < 30; ++i) {
    if (i == 12) talk.snapshot_next = true;
    talk.append_numbered(1);
    talk.snapshot_next = false;
    states.push_back(talk.state());
    if (i % 7 == 0) {
      ASSERT_TRUE(journal_->flush().ok());
    }
  }
  for (uint64_t version = 2; version < states.size(); ++version) {
    const auto state = journal_->read_state_at(talk.key(), talk.shard(), {version});
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(*state, states[version]) << version;
    const auto events = journal_->read_events(talk.key(), talk.shard(), {version}, {});
    ASSERT_TRUE(events.ok()) << events.status();
    ASSERT_EQ(events->size(), talk.state().version.value - version);
    for (const Event& event : *events) {
      ++version;
      EXPECT_EQ(event.version, Version{version});
      const auto& appended = std::get<MessagesAppended>(event.body);
      EXPECT_EQ(*appended.messages.at(0).body, "m" + std::to_string(version - 1));
    }
    version -= events->size();
  }
}

TEST_F(StoredRows, EndWhereTheyGrowLarge) {
  open();
  Driver talk = opened("talk");
  append_together(talk, std::vector<std::string>(100, std::string(1000, 'x')));
  ASSERT_EQ(talk.append({std::string(100'000, 'y'), "z"}), WriteOutcome::committed);
  close();
  EXPECT_EQ(rows_of(Family::messages), 7U + 2U) << "16 fit into one; a large one has its own";
  open();
  expect_sound();
  EXPECT_EQ(opened("talk").read({101}, {102}).back(), "z");
}

TEST_F(StoredRows, KeepThePartThatAForkShowsAndLoseTheRest) {
  open();
  Driver parent = opened("parent");
  auto bodies = numbered(1, 10);
  bodies.emplace_back("a-canary-after-the-fork-77e1");
  append_together(parent, bodies);
  ASSERT_TRUE(journal_->flush().ok());
  Driver child = parent.fork("child", Sequence{4});
  ASSERT_EQ(parent.run({DeleteConversation{}}), WriteOutcome::committed);
  EXPECT_EQ(child.read({1}, {4}), numbered(1, 4));
  ASSERT_TRUE(journal_->scrub().ok());
  EXPECT_TRUE(files_with(options_.data_dir, "a-canary-after-the-fork-77e1").empty());
  EXPECT_EQ(child.read({1}, {4}), numbered(1, 4));
  expect_sound();
  close();
  EXPECT_EQ(rows_of(Family::messages), 1U);
}

TEST_F(StoredRows, ForgetWhatWasWrittenAndErasedTogether) {
  open();
  Driver parent = opened("parent");
  append_together(parent, numbered(1, 6));
  Driver child = parent.fork("child", Sequence{3});
  parent.append_numbered(2);
  ASSERT_EQ(parent.run({ResetConversation{}}), WriteOutcome::committed);
  parent.append_numbered(2);
  ASSERT_EQ(parent.run({DeleteConversation{}}), WriteOutcome::committed);
  EXPECT_EQ(child.read({1}, {3}), numbered(1, 3));
  expect_sound();
  close();
  EXPECT_EQ(rows_of(Family::messages), 1U);
}

// A later drop of the same round did not see what the one before had written anew: it stayed for
// ever.
TEST_F(StoredRows, AreGoneWhenTheLastForkGoesInTheSameRound) {
  open();
  Driver parent = opened("parent");
  append_together(parent, numbered(1, 10));
  ASSERT_TRUE(journal_->flush().ok());
  Driver one = parent.fork("one", Sequence{8});
  Driver two = parent.fork("two", Sequence{5});
  ASSERT_EQ(parent.run({DeleteConversation{}}), WriteOutcome::committed);
  for (Driver* child : {&one, &two}) {
    ASSERT_EQ(child->run({DeleteConversation{}}), WriteOutcome::committed);
    const Id128 link = child->state().pending_releases.front().child_history;
    ASSERT_EQ(parent.run({ReleaseFork{link}}), WriteOutcome::committed);
    ASSERT_EQ(child->run({ConfirmRelease{link}}), WriteOutcome::committed);
  }
  expect_sound();
  close();
  EXPECT_EQ(rows_of(Family::messages), 0U);
}

TEST_F(StoredRows, LieInMergedFilesOnceNothingChanges) {
  options_.rest_after = std::chrono::milliseconds(50);
  open();
  Driver talk = opened("talk");
  for (int i = 0; i < 8; ++i) {
    const std::string large(200'000, static_cast<char>('a' + i));
    ASSERT_EQ(talk.append({large, large}), WriteOutcome::committed);
    ASSERT_TRUE(journal_->flush().ok());
  }
  const auto levels = [&] {
    auto store = RocksStore::open_read_only({db_dir(), 16U << 20, false});
    // A file may have gone while it was opened: it is looked at again.
    if (!store.ok()) return std::pair(uint64_t{1}, uint64_t{0});
    rocksdb::ColumnFamilyMetaData files;
    (*store)->db().GetColumnFamilyMetaData((*store)->family(Family::messages), &files);
    return std::pair(uint64_t{files.levels.front().size}, uint64_t{files.levels.back().size});
  };
  // On a slow machine it rests in between, and what comes after may be too little to be merged.
  constexpr uint64_t k_too_little = 1U << 20;
  while (journal_->stats().rests == 0 || levels().first >= k_too_little) std::this_thread::yield();
  expect_sound();
  close();
  EXPECT_GT(levels().second, 2'000'000U);
}

}  // namespace
}  // namespace parley::test
