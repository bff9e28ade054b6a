#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "storage/codec_rows.hpp"
#include "storage/foreign_histories.hpp"
#include "storage/keys.hpp"
#include "storage/rocks_store.hpp"
#include "storage/shard_copy.hpp"
#include "tests/storage/local_fixture.hpp"

namespace parley::test {
namespace {

class SomeElsewhere final : public ForeignHistories {
 public:
  explicit SomeElsewhere(std::function<bool(Shard)> which) : which_(std::move(which)) {}
  [[nodiscard]] bool elsewhere(Shard shard) const override { return which_(shard); }
  Result<std::vector<Message>> read(const HistorySpan&, bool, PageBounds) override {
    return absl::UnavailableError("nobody is there");
  }

 private:
  const std::function<bool(Shard)> which_;
};

/// Two journals, and a shard that goes from the first to the second.
class LocalShards : public LocalFixture {
 protected:
  LocalShards() {
    options_.compress = false;
    there_options_ = options_;
    there_options_.data_dir = directory_.path() + "/there";
  }
  // What they look elsewhere with goes first otherwise.
  ~LocalShards() override {
    there_.reset();
    journal_.reset();
  }
  void look_elsewhere(LocalJournal& journal, std::function<bool(Shard)> which) {
    journal.look_elsewhere(elsewhere_.emplace_back(std::move(which)));
  }
  void open_there() {
    auto opened = LocalJournal::open(there_options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    there_ = *std::move(opened);
  }
  void open_both() {
    open();
    open_there();
  }

  /// The n-th name of a conversation that lies in the shard, from 0; another's with `within` false.
  static std::string name(size_t n, bool within = true) {
    for (int i = 0;; ++i) {
      std::string thread = "talk-" + std::to_string(i);
      const bool fits = shard_of(key_hash({"acme", thread}), Driver::k_shards) == k_shard;
      if (fits == within && n-- == 0) return thread;
    }
  }
  Driver loaded(LocalJournal& journal, const std::string& thread) {
    Driver driver(journal, thread);
    const Status status = driver.load();
    EXPECT_TRUE(status.ok()) << status;
    return driver;
  }

  /// Gives out and takes so many pieces, or all there are.
  void carry(ShardCopy& copy, LocalJournal& to, size_t pieces = SIZE_MAX) {
    for (; pieces > 0; --pieces) {
      const auto changes = copy.next();
      ASSERT_TRUE(changes.ok()) << changes.status();
      if (changes->empty()) return;
      const Status status = to.take_rows(k_shard, *changes);
      ASSERT_TRUE(status.ok()) << status;
    }
  }
  /// What is left; the copy is over then, as it must be before its journal is.
  void carry_rest(LocalJournal& from, std::unique_ptr<ShardCopy> copy, LocalJournal& to) {
    ASSERT_TRUE(from.settle().ok());
    carry(*copy, to);
    ASSERT_TRUE(copy->caught_up());
    ASSERT_TRUE(to.flush().ok());
  }
  void move(LocalJournal& from, LocalJournal& to) {
    ASSERT_TRUE(to.erase_shard(k_shard).ok());
    auto copy = from.copy_shard(k_shard);
    carry_rest(from, std::move(copy), to);
    ASSERT_TRUE(from.erase_shard(k_shard).ok());
  }

  /// All rows of the shard in a store that is closed.
  static std::map<std::pair<Family, std::string>, std::string> rows_in(const std::string& data) {
    std::map<std::pair<Family, std::string>, std::string> rows;
    auto store = RocksStore::open_read_only({data + "/db", 16U << 20, false});
    EXPECT_TRUE(store.ok()) << store.status();
    const StoreView view(**store);
    for (const Family family : k_sharded_families) {
      const std::string begin = keys::shard(k_shard);
      auto scan = view.scan(family, {.begin = begin,
                                     .end = keys::end_of(begin),
                                     .within_prefix = false,
                                     .fill_cache = false});
      for (scan.seek(begin); scan.valid(); scan.next()) {
        rows[{family, std::string(scan.key())}] = std::string(scan.value());
      }
      EXPECT_TRUE(scan.status().ok()) << scan.status();
    }
    return rows;
  }
  void expect_same_rows() {
    close();
    there_.reset();
    const auto here = rows_in(options_.data_dir);
    EXPECT_FALSE(here.empty());
    EXPECT_TRUE(here == rows_in(there_options_.data_dir));
    expect_sound(there_options_.data_dir);
  }
  static void expect_sound(const std::string& data) {
    const auto report = verify_store(data, {});
    ASSERT_TRUE(report.ok()) << report.status();
    for (const auto& problem : report->problems) ADD_FAILURE() << problem.where << problem.what;
  }

  static constexpr Shard k_shard{7};
  static inline const std::map<std::string, std::string> k_red{{"colour", "red"}};
  LocalOptions there_options_;
  std::unique_ptr<LocalJournal> there_;
  std::deque<SomeElsewhere> elsewhere_;
};

/// Forks, what a reset left of a parent, what a deletion left, labels: everything that has rows.
TEST_F(LocalShards, TakesEverythingAlong) {
  open_both();
  Driver parent = loaded(*journal_, name(0));
  parent.append_numbered(30);
  Driver child = parent.fork(name(1), Sequence{20});
  child.append_numbered(3);
  ASSERT_EQ(parent.run({ResetConversation{}}), WriteOutcome::committed);
  parent.append_numbered(2);
  Driver deleted = loaded(*journal_, name(2));
  ASSERT_EQ(deleted.run({Driver::say({"short"})}, Driver::fresh_id()), WriteOutcome::committed);
  ASSERT_EQ(deleted.run({DeleteConversation{}}, Driver::fresh_id()), WriteOutcome::committed);
  UpdateConversation labels;
  labels.labels_patch = k_red;
  ASSERT_EQ(child.run({labels}), WriteOutcome::committed);
  Driver large = loaded(*journal_, name(3));
  for (int i = 0; i < 8; ++i)
    ASSERT_EQ(large.append({std::string(100'000, 'l')}), WriteOutcome::committed);
  Driver other = loaded(*journal_, name(0, false));
  other.append_numbered(1);

  auto copy = journal_->copy_shard(k_shard);
  EXPECT_FALSE(copy->caught_up());
  carry_rest(*journal_, std::move(copy), *there_);
  for (Driver* driver : {&parent, &child, &deleted, &large}) {
    EXPECT_EQ(loaded(*there_, driver->key().thread).state(), driver->state());
  }
  Driver child_there = loaded(*there_, name(1));
  EXPECT_EQ(child_there.read({1}, {23}), child.read({1}, {23}));
  const auto red = there_->list({.tenant = "acme", .labels = k_red});
  ASSERT_TRUE(red.ok());
  ASSERT_EQ(red->conversations.size(), 1U);
  EXPECT_EQ(red->conversations.front().thread, name(1));
  EXPECT_FALSE(loaded(*there_, name(0, false)).state().exists);
  child_there.append_numbered(1);
  close();
  there_.reset();
  expect_sound(options_.data_dir);
  expect_sound(there_options_.data_dir);
}

TEST_F(LocalShards, TakesAlongWhatChangesMeanwhile) {
  open_both();
  std::mt19937 chance(20261127);
  std::vector<Driver> drivers;
  for (size_t i = 0; i < 6; ++i) drivers.push_back(loaded(*journal_, name(i)));
  const auto change = [&] {
    Driver& driver = drivers[chance() % drivers.size()];
    const auto kind = chance() % 12;
    if (!driver.state().exists || kind > 2) {
      ASSERT_EQ(driver.append({std::string(chance() % 60'000, 'x')}), WriteOutcome::committed);
    } else if (kind == 0) {
      ASSERT_EQ(driver.run({DeleteConversation{}}), WriteOutcome::committed);
    } else {
      driver.snapshot_next = kind == 1;
      ASSERT_EQ(driver.run({ResetConversation{}}), WriteOutcome::committed);
      driver.snapshot_next = false;
    }
  };
  for (int i = 0; i < 60; ++i) change();
  auto copy = journal_->copy_shard(k_shard);
  for (int i = 0; i < 120; ++i) {
    carry(*copy, *there_, chance() % 3);
    change();
    if (chance() % 4 == 0) {
      ASSERT_TRUE(journal_->settle().ok());
    }
  }
  carry_rest(*journal_, std::move(copy), *there_);
  for (const Driver& driver : drivers) {
    EXPECT_EQ(loaded(*there_, driver.key().thread).state(), driver.state());
  }
  expect_same_rows();
}

TEST_F(LocalShards, LosesNothingOfWritersThatDoNotPause) {
  open_both();
  std::atomic<bool> ended{false};
  std::vector<std::thread> writers;
  std::vector<std::unique_ptr<Driver>> drivers;
  for (size_t i = 0; i < 3; ++i) {
    drivers.push_back(std::make_unique<Driver>(loaded(*journal_, name(i))));
    writers.emplace_back([&ended, &driver = *drivers.back()] {
      while (!ended) ASSERT_EQ(driver.append({std::string(300, 'w')}), WriteOutcome::committed);
    });
  }
  while (journal_->stats().commits < 200) std::this_thread::yield();
  auto copy = journal_->copy_shard(k_shard);
  const uint64_t before = journal_->stats().commits;
  while (journal_->stats().commits < before + 500) carry(*copy, *there_, 1);
  ended = true;
  for (auto& writer : writers) writer.join();
  carry_rest(*journal_, std::move(copy), *there_);
  for (const auto& driver : drivers) {
    EXPECT_EQ(loaded(*there_, driver->key().thread).state(), driver->state());
  }
  expect_same_rows();
}

TEST_F(LocalShards, GoesAndComesBack) {
  open_both();
  Driver talk = loaded(*journal_, name(0));
  talk.append_numbered(5);
  Driver other = loaded(*journal_, name(0, false));
  other.append_numbered(1);
  move(*journal_, *there_);
  EXPECT_FALSE(loaded(*journal_, name(0)).state().exists);
  EXPECT_EQ(journal_->list({.tenant = "acme"})->conversations.size(), 1U);
  Driver moved = loaded(*there_, name(0));
  EXPECT_EQ(moved.state(), talk.state());
  moved.append_numbered(5);
  move(*there_, *journal_);
  Driver back = loaded(*journal_, name(0));
  EXPECT_EQ(back.state(), moved.state());
  EXPECT_EQ(back.read({1}, {10}).size(), 10U);
  back.append_numbered(1);
  EXPECT_EQ(loaded(*journal_, name(0, false)).state(), other.state());
}

/// The log still has the commits.
TEST_F(LocalShards, WhatIsErasedDoesNotComeBackWithARestart) {
  open_both();
  loaded(*journal_, name(0)).append_numbered(5);
  loaded(*journal_, name(0, false)).append_numbered(1);
  move(*journal_, *there_);
  crash();
  there_->flush_on_close(false);
  there_.reset();
  open_both();
  EXPECT_FALSE(loaded(*journal_, name(0)).state().exists);
  EXPECT_TRUE(loaded(*journal_, name(0, false)).state().exists);
  EXPECT_EQ(loaded(*there_, name(0)).state().last_sequence, Sequence{5});
}

TEST_F(LocalShards, AnAttemptThatWasGivenUpLeavesNothing) {
  open_both();
  loaded(*journal_, name(0)).append_numbered(5);
  loaded(*journal_, name(1)).append_numbered(5);
  auto copy = journal_->copy_shard(k_shard);
  carry(*copy, *there_);
  copy.reset();
  there_->flush_on_close(false);
  there_.reset();
  open_there();
  ASSERT_EQ(loaded(*journal_, name(0)).run({DeleteConversation{}}), WriteOutcome::committed);
  move(*journal_, *there_);
  EXPECT_FALSE(loaded(*there_, name(0)).state().exists);
  EXPECT_EQ(loaded(*there_, name(1)).state().last_sequence, Sequence{5});
}

TEST_F(LocalShards, ErasedMessagesLeaveTheFilesOnBothSides) {
  const std::string secret = "a-secret-that-goes-9e1b";
  const std::string kept = "a-line-that-stays-9e1b";
  open_both();
  Driver talk = loaded(*journal_, name(0));
  ASSERT_EQ(talk.append({secret}), WriteOutcome::committed);
  Driver other = loaded(*journal_, name(1));
  ASSERT_EQ(other.append({kept}), WriteOutcome::committed);
  ASSERT_TRUE(journal_->settle().ok());
  auto copy = journal_->copy_shard(k_shard);
  carry(*copy, *there_);
  ASSERT_TRUE(there_->flush().ok());
  EXPECT_FALSE(files_with(there_options_.data_dir, secret).empty());
  ASSERT_EQ(talk.run({DeleteConversation{}}), WriteOutcome::committed);
  carry_rest(*journal_, std::move(copy), *there_);
  ASSERT_TRUE(there_->scrub().ok());
  EXPECT_TRUE(files_with(there_options_.data_dir, secret).empty());
  EXPECT_FALSE(files_with(there_options_.data_dir, kept).empty());
  ASSERT_TRUE(journal_->erase_shard(k_shard).ok());
  ASSERT_TRUE(journal_->scrub().ok());
  EXPECT_TRUE(files_with(options_.data_dir, secret).empty());
  EXPECT_TRUE(files_with(options_.data_dir, kept).empty());
}

TEST_F(LocalShards, DamageGoesAlong) {
  const std::string canary = "a-canary-to-be-hit-51c2";
  open();
  Driver hurt = loaded(*journal_, name(0));
  ASSERT_EQ(hurt.append({canary}), WriteOutcome::committed);
  loaded(*journal_, name(1)).append_numbered(1);
  crash();
  ASSERT_TRUE(flip_at(log_dir(), canary));
  open_both();
  ASSERT_EQ(journal_->damaged_count(), 1U);
  move(*journal_, *there_);
  EXPECT_EQ(journal_->damaged_count(), 0U);
  EXPECT_EQ(there_->damaged_count(), 1U);
  Driver moved(*there_, name(0));
  EXPECT_EQ(moved.load().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(loaded(*there_, name(1)).state().exists);
  ASSERT_TRUE(there_->erase(moved.key(), moved.shard()).ok());
  EXPECT_FALSE(loaded(*there_, name(0)).state().exists);
}

TEST_F(LocalShards, TakesNothingOfAnotherShard) {
  open();
  using Kind = RowChange::Kind;
  const std::string own = keys::shard(k_shard);
  const std::string next = keys::shard({k_shard.value + 1});
  uint64_t elsewhere = 0;
  while (shard_of(elsewhere, Driver::k_shards) == k_shard) ++elsewhere;
  const RowChanges wrong{{Kind::put, Family::state, next + "key", "value"},
                         {Kind::remove, Family::index, "", ""},
                         {Kind::remove_range, Family::messages, own, next + "key"},
                         {Kind::remove_range, Family::messages, own + "b", own + "a"},
                         {Kind::put, Family::meta, keys::k_applied, "value"},
                         {Kind::put, Family::meta, keys::epoch(k_shard), "value"},
                         {Kind::put, Family::meta, keys::damaged(elsewhere), ""},
                         {Kind::remove_range, Family::meta, "D", "E"},
                         {Kind::put, Family::meta, keys::scrub('\2', 1, own), next + "key"}};
  for (const RowChange& each : wrong) {
    const Status status = journal_->take_rows(k_shard, encode_changes({each}));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << each.key;
  }
  EXPECT_EQ(journal_->take_rows(k_shard, "\xff").code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(journal_->take_rows(k_shard, "").ok());
}

/// Rows of a shard that comes in are nobody's yet.
TEST_F(LocalShards, WhatIsAnotherNodesIsNeitherListedNorForgotten) {
  open_both();
  Driver deleted = loaded(*journal_, name(0));
  ASSERT_EQ(deleted.run({Driver::say({"short"})}, Driver::fresh_id()), WriteOutcome::committed);
  ASSERT_EQ(deleted.run({DeleteConversation{}}, Driver::fresh_id()), WriteOutcome::committed);
  loaded(*journal_, name(1)).append_numbered(1);
  loaded(*there_, name(0, false)).append_numbered(1);
  look_elsewhere(*there_, [](Shard shard) { return shard == k_shard; });
  auto copy = journal_->copy_shard(k_shard);
  carry_rest(*journal_, std::move(copy), *there_);
  const auto listed = there_->list({.tenant = "acme"});
  ASSERT_TRUE(listed.ok());
  ASSERT_EQ(listed->conversations.size(), 1U);
  EXPECT_EQ(listed->conversations.front().thread, name(0, false));
  ASSERT_TRUE(there_->purge(std::chrono::hours(100)).ok());
  expect_same_rows();
}

/// A node whose shards have all moved away.
TEST_F(LocalShards, WhoHasNoShardListsNothing) {
  open();
  loaded(*journal_, name(1)).append_numbered(1);
  look_elsewhere(*journal_, [](Shard) { return true; });
  const auto listed = journal_->list({.tenant = "acme"});
  ASSERT_TRUE(listed.ok());
  EXPECT_TRUE(listed->conversations.empty());
  EXPECT_EQ(journal_->read_state({"acme", name(1)}, k_shard).status().code(),
            absl::StatusCode::kAborted);
}

/// Rows that are on their way here, or from here, are not the store's.
TEST_F(LocalShards, VerifyLooksAtWhatIsHereOnly) {
  open_both();
  loaded(*there_, name(0, false)).append_numbered(3);
  Driver on_its_way = loaded(*journal_, name(0));
  for (int i = 0; i < 8; ++i)
    ASSERT_EQ(on_its_way.append({std::string(100'000, 'l')}), WriteOutcome::committed);
  ASSERT_TRUE(journal_->settle().ok());
  auto copy = journal_->copy_shard(k_shard);
  carry(*copy, *there_, 2);
  ASSERT_FALSE(copy->caught_up());
  const auto problems = [&] {
    const auto report = there_->verify({});
    EXPECT_TRUE(report.ok()) << report.status();
    return report->problems.size();
  };
  EXPECT_GT(problems(), 0U) << "it could not tell";
  look_elsewhere(*there_, [](Shard shard) { return shard == k_shard; });
  EXPECT_EQ(problems(), 0U);
  copy.reset();
}

/// What is damaged is erased past its conversation, which would notice.
TEST_F(LocalShards, ErasesNothingThatPassedOn) {
  open();
  loaded(*journal_, name(0)).append_numbered(1);
  look_elsewhere(*journal_, [](Shard shard) { return shard == k_shard; });
  EXPECT_EQ(journal_->erase({"acme", name(0)}, k_shard).code(), absl::StatusCode::kAborted);
}

}  // namespace
}  // namespace parley::test
