#include "cluster/shard_keeper.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley {
namespace {

using testing::IsEmpty;

constexpr Shard k_shard{0};

/// What a keeper's node would be: one shard's rows in memory, calls that append to them, faults.
class FakeNode final : public ShardHost {
 public:
  using Post = std::function<void(const NodeName& from, const NodeName& to, std::string letter)>;

  FakeNode(NodeName self, Holding holding, Post post)
      : self_(std::move(self)), recorded_(std::move(holding)), post_(std::move(post)) {
    keeper = std::make_unique<ShardKeeper>(
        ShardKeeper::Options{
            .self = self_,
            .shard_count = 1,
            .limits = {.window = 4, .lag_max = 2, .held_micros = 50'000, .patience_micros = 20'000},
            .now =
                [this] {
                  const auto now = std::chrono::steady_clock::now().time_since_epoch();
                  return SteadyTime{
                      std::chrono::duration_cast<std::chrono::microseconds>(now).count() + ahead};
                },
            .random = [this] { return chance_(); }},
        *this);
  }

  /// Of every so many things that may fail, one does.
  void fail_one_in(uint32_t many) {
    const std::lock_guard lock(mutex_);
    one_in_ = many;
  }
  /// False where it is not served here, or held.
  bool append(const std::string& row) {
    const std::lock_guard lock(mutex_);
    if (!serving_ || held_) return false;
    rows_.push_back(row);
    if (copy_ != nullptr) copy_->push_back(row);
    return true;
  }
  [[nodiscard]] bool serving() const {
    const std::lock_guard lock(mutex_);
    return serving_ && !held_;
  }
  [[nodiscard]] std::vector<std::string> rows() const {
    const std::lock_guard lock(mutex_);
    return rows_;
  }
  [[nodiscard]] int failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
  }

  Status record(Shard, const Holding& holding) override {
    const std::lock_guard lock(mutex_);
    // A write that fails may have been made.
    const Status status = may_fail();
    if (status.ok() || chance_() % 2 == 0) recorded_ = holding;
    return status;
  }
  Result<Holding> recorded(Shard) override {
    const std::lock_guard lock(mutex_);
    if (Status status = may_fail(); !status.ok()) return status;
    return recorded_;
  }
  Status erase(Shard) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(serving_);
    if (Status status = may_fail(); !status.ok()) return status;
    rows_.clear();
    unflushed_ = false;
    return absl::OkStatus();
  }
  Status take(Shard, const std::string& row) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(serving_);
    if (Status status = may_fail(); !status.ok()) return status;
    rows_.push_back(row);
    unflushed_ = true;
    return absl::OkStatus();
  }
  Status flush() override {
    std::this_thread::sleep_for(std::chrono::milliseconds(flush_millis));
    const std::lock_guard lock(mutex_);
    if (Status status = may_fail(); !status.ok()) return status;
    unflushed_ = false;
    return absl::OkStatus();
  }
  std::unique_ptr<ShardCopy> copy(Shard) override {
    const std::lock_guard lock(mutex_);
    copy_ = std::make_shared<std::deque<std::string>>(rows_.begin(), rows_.end());
    return std::make_unique<Copy>(*this, copy_);
  }
  void hold(Shard, std::function<void()> held) override {
    {
      const std::lock_guard lock(mutex_);
      held_ = true;
    }
    held();
  }
  void put_idle_away(Shard) override {}
  Status settle() override {
    const std::lock_guard lock(mutex_);
    return may_fail();
  }
  void resume(Shard) override {
    const std::lock_guard lock(mutex_);
    held_ = false;
  }
  Status serve(Shard, Epoch epoch) override {
    const std::lock_guard lock(mutex_);
    if (Status status = may_fail(); !status.ok()) return status;
    EXPECT_EQ(recorded_.kind, Holding::Kind::owned);
    EXPECT_EQ(recorded_.epoch, epoch);
    EXPECT_FALSE(unflushed_) << "what is served could be lost";
    serving_ = true;
    held_ = false;
    return absl::OkStatus();
  }
  Status stop_serving(Shard, const NodeName& to, Epoch) override {
    const std::lock_guard lock(mutex_);
    EXPECT_NE(to, self_);
    if (Status status = may_fail(); !status.ok()) return status;
    serving_ = held_ = false;
    return absl::OkStatus();
  }
  void when_quiet(Shard, std::function<void()> quiet) override { quiet(); }
  [[nodiscard]] bool reaches(const NodeName&) const override { return connected; }
  void send(const NodeName& to, std::string letter) override {
    {
      const std::lock_guard lock(mutex_);
      if (!may_fail().ok() || !connected) return;  // lost
    }
    largest_letter = std::max<size_t>(largest_letter, letter.size());
    post_(self_, to, std::move(letter));
  }

  std::atomic<bool> connected{true};      ///< the way to the other one
  std::atomic<int64_t> ahead{0};          ///< of the clock
  std::atomic<size_t> largest_letter{0};  ///< that was sent
  std::atomic<int> flush_millis{0};       ///< how long it takes
  std::unique_ptr<ShardKeeper> keeper;

 private:
  class Copy final : public ShardCopy {
   public:
    Copy(FakeNode& node, std::shared_ptr<std::deque<std::string>> left)
        : node_(node), left_(std::move(left)) {}
    Result<std::string> next() override {
      const std::lock_guard lock(node_.mutex_);
      if (Status status = node_.may_fail(); !status.ok()) return status;
      if (left_->empty()) return std::string();
      std::string row = std::move(left_->front());
      left_->pop_front();
      return row;
    }
    [[nodiscard]] bool caught_up() const override { return true; }

   private:
    FakeNode& node_;
    const std::shared_ptr<std::deque<std::string>> left_;
  };

  Status may_fail() {
    if (one_in_ == 0 || chance_() % one_in_ != 0) return absl::OkStatus();
    ++failures_;
    return absl::UnavailableError("a fault of the test's");
  }

  const NodeName self_;
  mutable std::mutex mutex_;
  std::mt19937_64 chance_{std::random_device{}()};
  uint32_t one_in_ = 0;
  int failures_ = 0;
  Holding recorded_;
  std::vector<std::string> rows_;
  std::shared_ptr<std::deque<std::string>> copy_;
  bool unflushed_ = false;
  bool serving_ = false;
  bool held_ = false;
  const Post post_;
};

class TwoKeepers : public testing::Test {
 protected:
  void SetUp() override {
    const auto post = [this](const NodeName& from, const NodeName& to, std::string letter) {
      node(to).keeper->receive(from, std::move(letter));
    };
    for (const char* name : {"a", "b"}) {
      const bool first = *name == 'a';
      const Holding holding{first ? Holding::Kind::owned : Holding::Kind::absent,
                            {1},
                            first ? NodeName{} : NodeName{"a"},
                            0};
      nodes_[{name}] = std::make_unique<FakeNode>(NodeName{name}, holding, post);
    }
    for (auto& [name, node] : nodes_) node->keeper->start();
  }
  void TearDown() override {
    for (auto& [name, node] : nodes_) node->keeper->stop();
  }
  FakeNode& node(const NodeName& name) { return *nodes_.at(name); }

  bool eventually(const std::function<bool()>& done) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < until) {
      if (done()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  void ask(const NodeName& to) {
    for (auto& [name, node] : nodes_) node->keeper->want(k_shard, to);
  }
  /// One more row, wherever it is served.
  void append() {
    const std::string row = std::to_string(acknowledged_.size());
    int took = 0;
    for (auto& [name, node] : nodes_) took += node->append(row) ? 1 : 0;
    EXPECT_LE(took, 1) << "two nodes serve";
    if (took > 0) acknowledged_.push_back(row);
  }
  void expect_all_at(const NodeName& where) {
    EXPECT_TRUE(eventually([&] {
      ask(where);
      for (auto& [name, node] : nodes_) {
        if (!node->keeper->look()[0].resting || node->serving() != (name == where)) return false;
      }
      return true;
    }));
    for (auto& [name, node] : nodes_) {
      if (name == where) {
        EXPECT_EQ(node->rows(), acknowledged_);
      } else {
        EXPECT_THAT(node->rows(), IsEmpty());
      }
    }
  }

  std::map<NodeName, std::unique_ptr<FakeNode>> nodes_;
  std::vector<std::string> acknowledged_;
};

TEST_F(TwoKeepers, PassAShardBackAndForth) {
  for (const char* where : {"b", "a", "b", "b", "a"}) {
    for (int i = 0; i < 50; ++i) append();
    ask({where});
    for (int i = 0; i < 50; ++i) append();
    expect_all_at({where});
  }
  EXPECT_EQ(node({"a"}).keeper->look()[0].holding.epoch, Epoch{5});
  EXPECT_GE(acknowledged_.size(), 250U);
}

/// Whoever owns it decides: a wish that comes late is not kept for when the shard is here.
TEST_F(TwoKeepers, WishNothingOfWhatIsAnothers) {
  for (int i = 0; i < 10; ++i) append();
  node({"b"}).keeper->want(k_shard, {"a"});
  node({"a"}).keeper->want(k_shard, {"b"});
  ASSERT_TRUE(eventually([&] { return node({"b"}).serving(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(node({"b"}).serving());
  EXPECT_EQ(node({"b"}).keeper->look()[0].holding.epoch, Epoch{2});
}

TEST_F(TwoKeepers, WaitForATakerThatIsAwayWithoutACopy) {
  for (int i = 0; i < 10; ++i) append();
  FakeNode& giver = node({"a"});
  giver.connected = false;
  giver.keeper->want(k_shard, {"b"});
  ASSERT_TRUE(eventually([&] { return giver.keeper->look()[0].wanted == NodeName{"b"}; }));
  EXPECT_TRUE(giver.keeper->look()[0].resting);
  // It answers, then goes away: its answers are lost, and then what is sent to it.
  node({"b"}).connected = false;
  giver.connected = true;
  ASSERT_TRUE(eventually([&] { return !giver.keeper->look()[0].resting; }));
  giver.connected = false;
  giver.ahead = 3'000'000;
  ASSERT_TRUE(eventually([&] { return giver.keeper->look()[0].resting; }));
  EXPECT_TRUE(giver.serving());
  EXPECT_EQ(giver.keeper->look()[0].wanted, NodeName{"b"}) << "it is still to go there";
  giver.connected = node({"b"}).connected = true;
  ASSERT_TRUE(eventually([&] { return node({"b"}).serving(); }));
  expect_all_at({"b"});
}

/// Where calls were held for a set time only, it was tried for ever.
TEST_F(TwoKeepers, PassAShardToASlowDiskWhileItIsWrittenTo) {
  for (int i = 0; i < 10; ++i) append();
  node({"b"}).flush_millis = 300;
  ask({"b"});
  ASSERT_TRUE(eventually([&] {
    append();
    return node({"b"}).serving();
  }));
  expect_all_at({"b"});
}

TEST_F(TwoKeepers, SendLargeRowsInLettersThatLeaveRoom) {
  for (int i = 0; i < 12; ++i) {
    acknowledged_.emplace_back(200'000, static_cast<char>('a' + i));
    ASSERT_TRUE(node({"a"}).append(acknowledged_.back()));
  }
  expect_all_at({"b"});
  EXPECT_LT(node({"a"}).largest_letter, 500'000U);
}

TEST_F(TwoKeepers, GoOnFromWhatIsRecordedWhateverFails) {
  std::mt19937 chance(std::random_device{}());
  for (auto& [name, node] : nodes_) node->fail_one_in(12);
  for (int round = 0; round < 20; ++round) {
    ask({round % 2 == 0 ? "b" : "a"});
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(20 + chance() % 200);
    while (std::chrono::steady_clock::now() < until) {
      append();
      std::this_thread::sleep_for(std::chrono::microseconds(chance() % 500));
    }
  }
  for (auto& [name, node] : nodes_) {
    EXPECT_GT(node->failures(), 0);
    node->fail_one_in(0);
  }
  expect_all_at({"b"});
  expect_all_at({"a"});
  EXPECT_GT(acknowledged_.size(), 100U);
}

}  // namespace
}  // namespace parley
