#include "storage/applier.hpp"

#include <atomic>
#include <functional>
#include <future>
#include <thread>

#include "storage/damage.hpp"
#include "storage/memory_journal.hpp"
#include "storage/rocks_store.hpp"
#include "tests/storage/local_fixture.hpp"

namespace parley::test {
namespace {

/// An applier with a store of its own and nothing else.
class ApplierTest : public ::testing::Test {
 protected:
  ApplierTest() {
    auto store = RocksStore::open({dir_.path(), 16U << 20, false});
    EXPECT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  ~ApplierTest() override { applier_->stop(true); }

  void start(ApplierOptions options) {
    applier_.emplace(*store_, heads_, damage_, log::Mark{}, options,
                     Applier::Surroundings{[this] { return allowed_.load(); },
                                           [this](bool) { after_round_(); }});
  }

  /// A frame that creates one conversation, as if it were so large. The hash of its key.
  uint64_t add(uint64_t frame, const std::string& thread, size_t bytes) {
    Driver driver(no_journal_, thread);
    auto pending = std::make_shared<Pending>();
    pending->commit = driver.make({Driver::say({"m1"})});
    const uint64_t hash = pending->commit.key_hash;
    applier_->add(
        {.mark = {frame, 0}, .commits = {std::move(pending)}, .raised = {}, .memory_bytes = bytes});
    return hash;
  }

  TemporaryDirectory dir_;
  MemoryJournal no_journal_;
  std::unique_ptr<RocksStore> store_;
  Heads heads_{256, [](std::shared_ptr<Pending>) {}};
  Damage damage_;
  std::atomic<bool> allowed_{true};
  std::function<void()> after_round_ = [] {};
  std::optional<Applier> applier_;
};

TEST_F(ApplierTest, AReaderWaitsForWhatItsRoundLeftToTheNext) {
  start({.gather = std::chrono::milliseconds(200)});
  allowed_ = false;
  constexpr size_t k_half_a_round = 12U << 20;
  const uint64_t first = add(1, "first", k_half_a_round);
  add(2, "second", k_half_a_round);
  const uint64_t last = add(3, "last", k_half_a_round);
  allowed_ = true;
  EXPECT_TRUE(applier_->wait_for(std::span(&first, 1)).ok());
  EXPECT_TRUE(applier_->wait_for(std::span(&last, 1)).ok());
  EXPECT_EQ(applier_->applied().frame, 3U);
  EXPECT_GE(applier_->stats().rounds, 2U);
}

// Whoever flushed at once did not cover the round, and the log kept it for minutes.
TEST_F(ApplierTest, SaysThatARoundIsOverOnceItCountsAsApplied) {
  std::promise<uint64_t> applied;
  after_round_ = [&] { applied.set_value(applier_->applied().frame); };
  start({.gather = std::chrono::milliseconds(0)});
  add(1, "one", 100);
  EXPECT_EQ(applied.get_future().get(), 1U);
}

TEST_F(ApplierTest, NobodyWaitsForWhatIsApplied) {
  start({.gather = std::chrono::hours(1)});
  const uint64_t hash = add(1, "one", 100);
  EXPECT_TRUE(applier_->wait_for(std::span(&hash, 1)).ok()) << "hurries the round on";
  EXPECT_EQ(applier_->applied().frame, 1U);
  add(2, "other", 100);
  EXPECT_TRUE(applier_->wait_for(std::span(&hash, 1)).ok());
  EXPECT_EQ(applier_->applied().frame, 1U) << "another conversation's frame may wait";
}

}  // namespace
}  // namespace parley::test
