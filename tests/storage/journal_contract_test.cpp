#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/storage/journal_driver.hpp"
#include "tests/storage/journal_under_test.hpp"

namespace parley::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class JournalContract : public ::testing::TestWithParam<JournalKind> {
 protected:
  Journal& journal() { return *kept_->journal; }
  Driver opened(const std::string& thread, const std::string& tenant = "acme") {
    Driver driver(journal(), thread, tenant);
    EXPECT_TRUE(driver.load().ok());
    return driver;
  }
  std::vector<std::string> listed(ListQuery query) {
    auto rows = journal().list(query);
    std::vector<std::string> threads;
    EXPECT_TRUE(rows.ok()) << rows.status();
    if (rows.ok()) {
      for (const auto& row : rows->conversations) threads.push_back(row.thread);
    }
    return threads;
  }

 private:
  std::unique_ptr<JournalUnderTest> kept_ = open_journal(GetParam());
};

TEST_P(JournalContract, LoadsNothingWhereNothingIsStored) {
  auto loaded = journal().load({"acme", "none"}, {7});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->state, State{});
  EXPECT_THAT(loaded->recent, IsEmpty());
}

TEST_P(JournalContract, LoadsWhatWasCommitted) {
  Driver talk = opened("talk");
  talk.append_numbered(7);
  Driver again = opened("talk");
  EXPECT_EQ(again.state(), talk.state());
  ASSERT_EQ(again.recent().size(), 7U);
  for (size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(again.recent()[i].sequence.value, i + 1);
    EXPECT_EQ(*again.recent()[i].body, "m" + std::to_string(i + 1));
    EXPECT_EQ(again.recent()[i].role, Role::user);
  }
  EXPECT_EQ(again.recent().back().create_time, talk.state().last_activity);
  EXPECT_EQ(again.recent().back().version, talk.state().version);
}

TEST_P(JournalContract, LoadsNoMoreMessagesThanTheHotWindow) {
  Driver talk = opened("talk");
  CreateConversation create;
  create.policy.hot_window_messages = 3;
  ASSERT_EQ(talk.run({create}), WriteOutcome::committed);
  talk.append_numbered(9);
  Driver again = opened("talk");
  ASSERT_EQ(again.recent().size(), 3U);
  EXPECT_EQ(again.recent().front().sequence, Sequence{7});
}

TEST_P(JournalContract, RefusesACommitOfAConversationThatWasNotLoaded) {
  Driver talk(journal(), "talk");
  EXPECT_EQ(talk.append({"hello"}), WriteOutcome::conflict);
}

TEST_P(JournalContract, RefusesACommitOnAnotherVersion) {
  Driver talk = opened("talk");
  talk.append_numbered(2);
  Commit late = talk.make({Driver::say({"late"})});
  late.batch.expected = {1};
  Outcomes outcomes;
  journal().commit(std::move(late), &outcomes);
  EXPECT_EQ(outcomes.wait(), WriteOutcome::conflict);
  outcomes.wait_for_flush(1);
}

TEST_P(JournalContract, RefusesACommitAfterRelease) {
  Driver talk = opened("talk");
  talk.append_numbered(1);
  journal().release(talk.key());
  EXPECT_EQ(talk.append({"more"}), WriteOutcome::conflict);
}

TEST_P(JournalContract, ASecondLoadDeposesTheFirst) {
  Driver first = opened("talk");
  first.append_numbered(1);
  Driver second = opened("talk");
  second.append_numbered(1);
  EXPECT_EQ(first.append({"from the deposed"}), WriteOutcome::conflict);
  EXPECT_EQ(second.append({"m4"}), WriteOutcome::committed);
}

TEST_P(JournalContract, ReleaseOfTheDeposedLeavesTheOtherLoaded) {
  Driver first = opened("talk");
  Driver second = opened("talk");
  second.append_numbered(1);
  journal().release(first.key());
  EXPECT_EQ(second.append({"more"}), WriteOutcome::committed);
}

TEST_P(JournalContract, FencesCommitsBelowTheEpoch) {
  Driver talk = opened("talk");
  EXPECT_EQ(journal().epoch(talk.shard()), Epoch{1});
  ASSERT_TRUE(journal().raise_epoch(talk.shard(), {3}).ok());
  EXPECT_EQ(journal().epoch(talk.shard()), Epoch{3});
  talk.epoch = {2};
  EXPECT_EQ(talk.append({"zombie"}), WriteOutcome::fenced);
  Driver owner = opened("talk");
  EXPECT_FALSE(owner.state().exists);
  owner.epoch = {3};
  EXPECT_EQ(owner.append({"owner"}), WriteOutcome::committed);
}

TEST_P(JournalContract, EpochsNeverGoBack) {
  ASSERT_TRUE(journal().raise_epoch({5}, {9}).ok());
  ASSERT_TRUE(journal().raise_epoch({5}, {4}).ok());
  EXPECT_EQ(journal().epoch({5}), Epoch{9});
  EXPECT_EQ(journal().epoch({6}), Epoch{1});
}

TEST_P(JournalContract, CarriesOutCommitsOfOneConversationInOrder) {
  Driver talk = opened("talk");
  Outcomes outcomes;
  constexpr size_t k_commits = 50;
  for (size_t i = 0; i < k_commits; ++i) {
    journal().commit(talk.make({Driver::say({"m" + std::to_string(i + 1)})}), &outcomes);
  }
  for (size_t i = 0; i < k_commits; ++i) EXPECT_EQ(outcomes.wait(i), WriteOutcome::committed);
  outcomes.wait_for_flush_of(k_commits);
  Driver again = opened("talk");
  EXPECT_EQ(again.state(), talk.state());
  EXPECT_EQ(again.read({49}, {50}), (std::vector<std::string>{"m49", "m50"}));
}

TEST_P(JournalContract, TakesManyConversationsFromManyThreads) {
  constexpr size_t k_threads = 4;
  constexpr size_t k_commits = 50;
  // Ids and times are made one after the other; only the commits run side by side.
  std::vector<std::vector<Commit>> work(k_threads);
  std::vector<Driver> drivers;
  for (size_t i = 0; i < k_threads; ++i) {
    drivers.push_back(opened("talk" + std::to_string(i)));
    for (size_t n = 0; n < k_commits; ++n) {
      work[i].push_back(drivers[i].make({Driver::say({std::to_string(n)})}));
    }
  }
  std::vector<std::thread> threads;
  for (size_t i = 0; i < k_threads; ++i) {
    threads.emplace_back([&, i] {
      for (auto& commit : work[i]) {
        Outcomes outcomes;
        journal().commit(std::move(commit), &outcomes);
        EXPECT_EQ(outcomes.wait(), WriteOutcome::committed);
        outcomes.wait_for_flush(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (size_t i = 0; i < k_threads; ++i) {
    EXPECT_EQ(opened("talk" + std::to_string(i)).state(), drivers[i].state());
  }
}

TEST_P(JournalContract, ReadsShowWhatWasWrittenAtOnce) {
  Driver talk = opened("talk");
  for (uint64_t i = 1; i <= 20; ++i) {
    talk.append_numbered(1);
    EXPECT_EQ(talk.read({i}, {i}).size(), 1U);
    auto state = journal().read_state(talk.key(), talk.shard());
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(*state, talk.state());
    EXPECT_THAT(listed({.tenant = "acme"}), ElementsAre("talk"));
  }
}

TEST_P(JournalContract, ReadsMessagesBothWaysAndInPages) {
  Driver talk = opened("talk");
  talk.append_numbered(10);
  EXPECT_THAT(talk.read({2}, {5}), ElementsAre("m2", "m3", "m4", "m5"));
  EXPECT_THAT(talk.read({2}, {5}, true), ElementsAre("m5", "m4", "m3", "m2"));
  EXPECT_THAT(talk.read({1}, {10}, false, {.count_max = 2}), ElementsAre("m1", "m2"));
  EXPECT_THAT(talk.read({1}, {10}, true, {.count_max = 2}), ElementsAre("m10", "m9"));
  EXPECT_THAT(talk.read({1}, {10}, false, {.count_max = 9, .bytes_max = 5}),
              ElementsAre("m1", "m2"));
  EXPECT_THAT(talk.read({1}, {10}, false, {.count_max = 9, .bytes_max = 0}), ElementsAre("m1"));
  EXPECT_THAT(talk.read({9}, {30}), ElementsAre("m9", "m10"));
  EXPECT_THAT(talk.read({30}, {40}), IsEmpty());
}

TEST_P(JournalContract, ReadsAcrossForks) {
  Driver root = opened("root");
  root.append_numbered(6);
  Driver child = root.fork("child", Sequence{4});
  child.append_numbered(3);  // m5 to m7 of its own
  root.append_numbered(1);
  Driver grandchild = child.fork("grandchild", Sequence{6});
  grandchild.append_numbered(1);
  EXPECT_THAT(grandchild.read({1}, {7}), ElementsAre("m1", "m2", "m3", "m4", "m5", "m6", "m7"));
  EXPECT_THAT(grandchild.read({3}, {6}, true), ElementsAre("m6", "m5", "m4", "m3"));
  EXPECT_THAT(grandchild.read({1}, {7}, true, {.count_max = 4}),
              ElementsAre("m7", "m6", "m5", "m4"));
  Driver again = opened("grandchild");
  EXPECT_EQ(again.state(), grandchild.state());
  const size_t recent = again.recent().size();
  ASSERT_GE(recent, 1U);
  for (size_t i = 0; i < recent; ++i) {
    EXPECT_EQ(*again.recent()[i].body, "m" + std::to_string(8 - recent + i));
  }
  EXPECT_TRUE(recent == 7 || !keeps_all_together(GetParam())) << recent;
}

TEST_P(JournalContract, AForkOutlivesItsParent) {
  Driver root = opened("root");
  root.append_numbered(6);
  Driver child = root.fork("child", Sequence{4});
  child.append_numbered(1);
  ASSERT_EQ(root.run({DeleteConversation{}}), WriteOutcome::committed);
  EXPECT_THAT(child.read({1}, {5}), ElementsAre("m1", "m2", "m3", "m4", "m5"));
  Driver rest = opened("root");
  EXPECT_FALSE(rest.state().exists);
  ASSERT_EQ(rest.state().former.size(), 1U);
  // The root lives again, apart from what it was.
  rest.append_numbered(2);
  EXPECT_THAT(rest.read({1}, {2}), ElementsAre("m1", "m2"));
  EXPECT_EQ(opened("root").state(), rest.state());
  EXPECT_THAT(child.read({1}, {2}), ElementsAre("m1", "m2"));
}

TEST_P(JournalContract, ListsUnfinishedReleasesUntilTheyAreConfirmed) {
  Driver root = opened("root");
  root.append_numbered(2);
  Driver child = root.fork("child");
  ASSERT_EQ(child.run({DeleteConversation{}}), WriteOutcome::committed);
  auto unfinished = journal().unfinished_releases();
  ASSERT_TRUE(unfinished.ok());
  ASSERT_EQ(unfinished->size(), 1U);
  EXPECT_EQ(unfinished->front().key, child.key());
  const Id128 link = child.state().pending_releases.front().child_history;
  ASSERT_EQ(root.run({ReleaseFork{link}}), WriteOutcome::committed);
  ASSERT_EQ(child.run({ConfirmRelease{link}}), WriteOutcome::committed);
  EXPECT_EQ(journal().unfinished_releases()->size(), 0U);
  EXPECT_EQ(opened("child").state(), State{});
}

TEST_P(JournalContract, AResetOfAForkIsAnUnfinishedRelease) {
  Driver root = opened("root");
  root.append_numbered(2);
  Driver child = root.fork("child");
  ASSERT_EQ(child.run({ResetConversation{}}), WriteOutcome::committed);
  ASSERT_EQ(journal().unfinished_releases()->size(), 1U);
  const Id128 link = child.state().pending_releases.front().child_history;
  ASSERT_EQ(child.run({ConfirmRelease{link}, Driver::say({"after"})}), WriteOutcome::committed);
  EXPECT_EQ(journal().unfinished_releases()->size(), 0U);
}

TEST_P(JournalContract, ReadsTheStateAsOfAVersion) {
  Driver talk = opened("talk");
  std::vector<State> states{talk.state()};
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(talk.run({i == 0 ? Command{CreateConversation{.user = "ann"}}
                               : Command{UpdateConversation{.title = std::to_string(i)}}}),
              WriteOutcome::committed);
    states.push_back(talk.state());
  }
  for (uint64_t v = 1; v <= 5; ++v) {
    auto state = journal().read_state_at(talk.key(), talk.shard(), {v});
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(*state, states[v]);
  }
  EXPECT_EQ(journal().read_state_at(talk.key(), talk.shard(), {6}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(journal().read_state_at(talk.key(), talk.shard(), {0}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_P(JournalContract, NothingStoredIsNotFound) {
  const ConversationKey key{"acme", "none"};
  EXPECT_EQ(journal().read_state(key, {1}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(journal().read_state_at(key, {1}, {1}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(journal().read_events(key, {1}, {0}, {}).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(JournalContract, ReadsEventsWithTheirMessages) {
  Driver talk = opened("talk");
  ASSERT_EQ(talk.append({"one", "two"}), WriteOutcome::committed);  // versions 1 and 2
  ASSERT_EQ(talk.append({"three"}), WriteOutcome::committed);
  auto events = journal().read_events(talk.key(), talk.shard(), {1}, {});
  ASSERT_TRUE(events.ok()) << events.status();
  ASSERT_EQ(events->size(), 2U);
  const auto& first = std::get<MessagesAppended>(events->front().body);
  ASSERT_EQ(first.messages.size(), 2U);
  EXPECT_EQ(*first.messages[1].body, "two");
  EXPECT_EQ(events->back().version, Version{3});
  EXPECT_EQ(journal().read_events(talk.key(), talk.shard(), {0}, {.count_max = 2})->size(), 2U);
  EXPECT_EQ(journal()
                .read_events(talk.key(), talk.shard(), {0}, {.count_max = 9, .bytes_max = 1})
                ->size(),
            1U);
  EXPECT_THAT(*journal().read_events(talk.key(), talk.shard(), {3}, {}), IsEmpty());
}

TEST_P(JournalContract, EventsFromBeforeAResetHaveNoBodies) {
  Driver talk = opened("talk");
  ASSERT_EQ(talk.append({"old"}), WriteOutcome::committed);
  ASSERT_EQ(talk.run({ResetConversation{}}), WriteOutcome::committed);
  ASSERT_EQ(talk.append({"new"}), WriteOutcome::committed);
  auto events = journal().read_events(talk.key(), talk.shard(), {0}, {});
  ASSERT_TRUE(events.ok()) << events.status();
  ASSERT_EQ(events->size(), 4U);
  EXPECT_EQ(std::get<MessagesAppended>((*events)[1].body).messages.front().body, nullptr);
  EXPECT_EQ(*std::get<MessagesAppended>((*events)[3].body).messages.front().body, "new");
  EXPECT_THAT(talk.read({1}, {1}), ElementsAre("new"));
  EXPECT_EQ(opened("talk").state(), talk.state());
}

TEST_P(JournalContract, AResetErasesMessages) {
  Driver talk = opened("talk");
  ASSERT_EQ(talk.append({"old", "older"}), WriteOutcome::committed);
  const auto spans = talk.spans();
  ASSERT_EQ(talk.run({ResetConversation{}}), WriteOutcome::committed);
  EXPECT_FALSE(journal().read_messages({spans, {1}, {2}, false}, {}).ok());
}

TEST_P(JournalContract, ListsNewestActivityFirstUnderUpdates) {
  Driver a = opened("a");
  Driver b = opened("b");
  Driver c = opened("c");
  a.append_numbered(1);
  b.append_numbered(1);
  c.append_numbered(1);
  EXPECT_THAT(listed({.tenant = "acme"}), ElementsAre("c", "b", "a"));
  a.append_numbered(1);
  EXPECT_THAT(listed({.tenant = "acme"}), ElementsAre("a", "c", "b"));
  EXPECT_THAT(listed({.tenant = "other"}), IsEmpty());
  ASSERT_EQ(c.run({DeleteConversation{}}), WriteOutcome::committed);
  EXPECT_THAT(listed({.tenant = "acme"}), ElementsAre("a", "b"));
}

TEST_P(JournalContract, ListsInPagesWithTiesByThread) {
  const int64_t now = Driver::clock_micros;
  for (const char* thread : {"t1", "t2", "t3", "t4", "t5"}) {
    Driver talk = opened(thread);
    Driver::clock_micros = now;  // the same activity for all
    talk.append_numbered(1);
  }
  std::vector<std::string> all;
  ListQuery query{.tenant = "acme", .count_max = 2};
  for (int page = 0; page < 3; ++page) {
    auto rows = journal().list(query);
    ASSERT_TRUE(rows.ok()) << rows.status();
    for (const auto& row : rows->conversations) all.push_back(row.thread);
    query.after = {rows->conversations.back().last_activity, rows->conversations.back().thread};
  }
  EXPECT_THAT(all, ElementsAre("t1", "t2", "t3", "t4", "t5"));
  EXPECT_THAT(journal().list(query)->conversations, IsEmpty());
}

TEST_P(JournalContract, ListsByUserLabelsAndLifecycle) {
  const auto make = [&](const std::string& thread, const std::string& user,
                        std::map<std::string, std::string> labels) {
    Driver talk = opened(thread);
    CreateConversation create{.user = user, .labels = std::move(labels)};
    EXPECT_EQ(talk.run({create}), WriteOutcome::committed);
    return talk;
  };
  Driver a = make("a", "ann", {{"team", "red"}, {"env", "prod"}});
  make("b", "ann", {{"team", "blue"}, {"env", "prod"}});
  make("c", "bob", {{"team", "red"}});
  EXPECT_THAT(listed({.tenant = "acme", .user = "ann"}), ElementsAre("b", "a"));
  EXPECT_THAT(listed({.tenant = "acme", .labels = {{"team", "red"}}}), ElementsAre("c", "a"));
  EXPECT_THAT(listed({.tenant = "acme", .labels = {{"team", "red"}, {"env", "prod"}}}),
              ElementsAre("a"));
  EXPECT_THAT(listed({.tenant = "acme", .user = "bob", .labels = {{"env", "prod"}}}), IsEmpty());

  UpdateConversation update;
  update.labels_patch = std::map<std::string, std::string>{{"team", "blue"}};
  update.lifecycle = Lifecycle::archived;
  ASSERT_EQ(a.run({update}), WriteOutcome::committed);
  EXPECT_THAT(listed({.tenant = "acme", .labels = {{"team", "red"}}}), ElementsAre("c"));
  EXPECT_THAT(listed({.tenant = "acme", .user = "ann", .labels = {{"team", "blue"}}}),
              ElementsAre("a", "b"));
  EXPECT_THAT(listed({.tenant = "acme", .lifecycle = Lifecycle::archived}), ElementsAre("a"));
  EXPECT_THAT(listed({.tenant = "acme", .user = "ann", .lifecycle = Lifecycle::active}),
              ElementsAre("b"));
}

TEST_P(JournalContract, DeletionLeavesOnlyWhatRetriesNeed) {
  Driver talk = opened("talk");
  talk.append_numbered(3);
  const auto spans = talk.spans();
  const Id128 request = Driver::fresh_id();
  ASSERT_EQ(talk.run({DeleteConversation{}}, request), WriteOutcome::committed);
  EXPECT_FALSE(journal().read_state(talk.key(), talk.shard()).ok());
  EXPECT_FALSE(journal().read_events(talk.key(), talk.shard(), {0}, {}).ok());
  EXPECT_FALSE(journal().read_messages({spans, {1}, {3}, false}, {}).ok());
  EXPECT_THAT(listed({.tenant = "acme"}), IsEmpty());
  Driver rest = opened("talk");
  EXPECT_EQ(rest.state(), talk.state());
  EXPECT_TRUE(rest.state().dedup.find(request).has_value());
}

TEST_P(JournalContract, ADeletedConversationStartsAgainAtVersionOne) {
  Driver talk = opened("talk");
  talk.append_numbered(3);
  ASSERT_EQ(talk.run({DeleteConversation{}}, Driver::fresh_id()), WriteOutcome::committed);
  EXPECT_EQ(talk.state().version, Version{0});
  ASSERT_EQ(talk.append({"again"}), WriteOutcome::committed);
  Driver again = opened("talk");
  EXPECT_EQ(again.state().version, Version{2});
  EXPECT_EQ(again.state(), talk.state());
  EXPECT_THAT(again.read({1}, {1}), ElementsAre("again"));
  auto first = journal().read_state_at(talk.key(), talk.shard(), {1});
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->version, Version{1});
}

TEST_P(JournalContract, ABatchMayCreateAndDelete) {
  Driver talk = opened("talk");
  ASSERT_EQ(talk.run({Driver::say({"brief"}), DeleteConversation{}}), WriteOutcome::committed);
  EXPECT_EQ(opened("talk").state(), State{});
  EXPECT_EQ(talk.append({"new"}), WriteOutcome::committed);
}

TEST_P(JournalContract, LoadsFromASnapshotAndItsTail) {
  Driver talk = opened("talk");
  talk.append_numbered(5);
  talk.snapshot_next = true;
  talk.append_numbered(1);
  talk.snapshot_next = false;
  talk.append_numbered(3);
  EXPECT_EQ(opened("talk").state(), talk.state());
  journal().keep_snapshot(talk.key(), talk.shard(), std::make_shared<const State>(talk.state()));
  EXPECT_EQ(opened("talk").state(), talk.state());
  talk.append_numbered(2);
  EXPECT_EQ(opened("talk").state(), talk.state());
  EXPECT_EQ(journal().read_state_at(talk.key(), talk.shard(), {2})->version, Version{2});
}

TEST_P(JournalContract, ASnapshotOfADeletedConversationIsForgotten) {
  Driver talk = opened("talk");
  talk.append_numbered(3);
  auto old = std::make_shared<const State>(talk.state());
  ASSERT_EQ(talk.run({DeleteConversation{}}), WriteOutcome::committed);
  talk.append_numbered(4);
  journal().keep_snapshot(talk.key(), talk.shard(), old);
  EXPECT_EQ(opened("talk").state(), talk.state());
}

INSTANTIATE_TEST_SUITE_P(, JournalContract, ::testing::ValuesIn(k_journal_kinds),
                         journal_kind_name);

}  // namespace
}  // namespace parley::test
