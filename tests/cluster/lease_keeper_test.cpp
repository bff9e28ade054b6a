#include "cluster/lease_keeper.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>

#include <gtest/gtest.h>

namespace parley {
namespace {

using std::chrono::milliseconds;

constexpr uint32_t k_shards = 8;

/// The table as the database has it, in memory; with faults.
class Tables {
 public:
  Tables() {
    for (uint32_t i = 0; i < k_shards; ++i)
      shards.push_back({{static_cast<uint16_t>(i)}, {1}, {}, {}});
  }
  Member* find(const Member& member) {
    const auto found = std::ranges::find_if(members, [&](const Member& each) {
      return each.node == member.node && each.incarnation == member.incarnation;
    });
    return found == members.end() ? nullptr : &*found;
  }
  bool is_member(const OwnedShard& shard) {
    return find({shard.node, shard.incarnation, {}, false, 0}) != nullptr;
  }

  std::mutex mutex;
  std::vector<Member> members;
  std::vector<OwnedShard> shards;
};

/// One node's way to the tables.
class FakeTable final : public OwnershipTable {
 public:
  explicit FakeTable(Tables& tables) : tables_(tables) {}

  Result<bool> join(const Member& self) override {
    Fault fault(*this);
    if (!fault.before.ok()) return fault.before;
    for (const Member& member : tables_.members) {
      if (member.node == self.node) return fault.after(member.incarnation == self.incarnation);
    }
    tables_.members.push_back(self);
    return fault.after(true);
  }
  Result<bool> renew(const Member& self) override {
    Fault fault(*this);
    if (!fault.before.ok()) return fault.before;
    Member* member = tables_.find(self);
    if (member == nullptr) return fault.after(false);
    ++member->renewals;
    member->leaving = self.leaving;
    return fault.after(true);
  }
  Result<Membership> read() override {
    Fault fault(*this);
    if (!fault.before.ok()) return fault.before;
    return fault.after(Membership{tables_.members, tables_.shards});
  }
  Status bury(const std::vector<Member>& silent) override {
    Fault fault(*this);
    if (!fault.before.ok()) return fault.before;
    for (const Member& each : silent) {
      const Member* member = tables_.find(each);
      if (member == nullptr || member->renewals != each.renewals) continue;
      tables_.members.erase(tables_.members.begin() + (member - tables_.members.data()));
    }
    return fault.after(true).status();
  }
  Status take(const Member& self, const std::vector<OwnedShard>& shards) override {
    Fault fault(*this);
    if (!fault.before.ok()) return fault.before;
    for (const OwnedShard& read : shards) {
      OwnedShard& row = tables_.shards[read.shard.value];
      if (tables_.find(self) == nullptr || row.epoch != read.epoch || tables_.is_member(row)) {
        continue;
      }
      row = {read.shard, {row.epoch.value + 1}, self.node, self.incarnation};
    }
    return fault.after(true).status();
  }
  Status give(const Member& self, Shard shard, Epoch epoch, const Member& to) override {
    Fault fault(*this);
    if (!fault.before.ok()) return fault.before;
    OwnedShard& row = tables_.shards[shard.value];
    const bool own = row.incarnation == self.incarnation && row.epoch == epoch;
    if (own && tables_.find(to) != nullptr) {
      row = {shard, {epoch.value + 1}, to.node, to.incarnation};
    }
    return fault.after(true).status();
  }
  Status leave(const Member& self) override {
    const std::lock_guard lock(tables_.mutex);
    std::erase_if(tables_.members,
                  [&](const Member& member) { return member.incarnation == self.incarnation; });
    return absl::OkStatus();
  }

  std::atomic<int> one_fails_in{0};  ///< of every so many statements
  std::atomic<bool> stands_still{false};

 private:
  /// One statement: may fail before it is carried out, or after.
  struct Fault {
    explicit Fault(FakeTable& table) : table_(table) {
      while (table.stands_still) std::this_thread::sleep_for(milliseconds(1));
      lock = std::unique_lock(table.tables_.mutex);
      if (table.fails()) before = absl::UnavailableError("a fault of the test's");
    }
    template <class T>
    Result<T> after(T value) {
      if (table_.fails()) return absl::UnknownError("a fault of the test's");
      return value;
    }
    FakeTable& table_;
    std::unique_lock<std::mutex> lock;
    Status before;
  };
  bool fails() {
    const int one_in = one_fails_in;
    return one_in > 0 && random_() % static_cast<unsigned>(one_in) == 0;
  }

  Tables& tables_;
  std::mt19937 random_{std::random_device{}()};
};

SteadyTime now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::microseconds>(since).count()};
}

/// All nodes' gates, and what must hold of them together.
class Gates {
 public:
  void open(int node, Shard shard, Epoch epoch,
            const std::vector<const std::atomic<int64_t>*>& leases) {
    const std::lock_guard lock(mutex_);
    auto& here = open_[shard.value];
    for (const auto& [other, under] : here) {
      if (other == node) continue;
      // It may not know yet; what it knows must be of no use by now.
      EXPECT_LE(leases[static_cast<size_t>(other)]->load(), now().micros)
          << "node " << other << " may still answer for shard " << shard.value;
      EXPECT_LT(under.value, epoch.value);
    }
    here[node] = epoch;
    ++served_;
  }
  void shut(int node, Shard shard) {
    const std::lock_guard lock(mutex_);
    open_[shard.value].erase(node);
  }
  /// The nodes that serve each shard.
  std::vector<std::set<int>> serving() {
    const std::lock_guard lock(mutex_);
    std::vector<std::set<int>> all(k_shards);
    for (auto& [shard, nodes] : open_) {
      for (const auto& [node, epoch] : nodes) all[shard].insert(node);
    }
    return all;
  }
  int served() {
    const std::lock_guard lock(mutex_);
    return served_;
  }

 private:
  std::mutex mutex_;
  std::map<uint16_t, std::map<int, Epoch>> open_;
  int served_ = 0;
};

class LeaseKeepers : public testing::Test {
 protected:
  static constexpr int k_nodes = 3;

  class Node final : public ShardGate, public Neighbourhood {
   public:
    Node(LeaseKeepers& all, int number) : all_(all), number_(number), table(all.tables_) {}
    void boot() {
      keeper = std::make_unique<LeaseKeeper>(
          LeaseKeeper::Options{
              .self = {.node = std::string(1, static_cast<char>('a' + number_)),
                       .incarnation = {},
                       .address = "x:1"},
              .shard_count = k_shards,
              .times = {.lease_micros = 300'000, .renew_micros = 30'000, .margin_micros = 50'000},
              .now = [] { return now(); },
              .fresh =
                  [] {
                    static std::atomic<uint8_t> last{0};
                    static std::atomic<uint8_t> lap{0};
                    Id128 id;
                    id.bytes[0] = ++last;
                    if (id.bytes[0] == 0) ++lap;
                    id.bytes[1] = lap;
                    return id;
                  }},
          table, *this, *this);
      all_.leases_[static_cast<size_t>(number_)] = &keeper->lease_until_micros();
      keeper->start();
    }

    void hold(Shard shard, std::function<void()> held) override {
      all_.gates_.shut(number_, shard);
      held();
    }
    void resume(Shard shard) override {
      all_.gates_.open(number_, shard, epochs_[shard.value], all_.leases_);
    }
    Status serve(Shard shard, Epoch epoch) override {
      epochs_[shard.value] = epoch;
      all_.gates_.open(number_, shard, epoch, all_.leases_);
      return absl::OkStatus();
    }
    Status stop_serving(Shard shard, const NodeName&, Epoch) override {
      all_.gates_.shut(number_, shard);
      return absl::OkStatus();
    }
    void when_quiet(Shard, std::function<void()> quiet) override { quiet(); }
    void members(const std::vector<Member>&) override {}
    void owned_elsewhere(Shard, const NodeName&, Epoch) override {}
    void tell_to_look(const NodeName& node) override {
      const auto to = static_cast<size_t>(node.value[0] - 'a');
      if (LeaseKeeper* there = all_.nodes_[to]->keeper.get()) there->look_now();
    }

   private:
    LeaseKeepers& all_;
    const int number_;
    std::map<uint16_t, Epoch> epochs_;

   public:
    FakeTable table;
    std::unique_ptr<LeaseKeeper> keeper;
  };

  LeaseKeepers() : leases_(k_nodes, &none_) {
    for (int i = 0; i < k_nodes; ++i) nodes_.push_back(std::make_unique<Node>(*this, i));
  }
  ~LeaseKeepers() override {
    for (auto& node : nodes_) {
      node->table.stands_still = false;
      if (node->keeper) node->keeper->stop();
    }
  }
  bool eventually(const std::function<bool()>& done) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < until) {
      if (done()) return true;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return false;
  }
  /// Each shard is served by one of these nodes, and they have as many as each other.
  bool evenly_by(const std::set<int>& which) {
    std::map<int, size_t> counts;
    for (const auto& nodes : gates_.serving()) {
      if (nodes.size() != 1 || !which.contains(*nodes.begin())) return false;
      ++counts[*nodes.begin()];
    }
    return std::ranges::all_of(which, [&](int node) {
      return counts[node] >= k_shards / which.size() && counts[node] <= k_shards / which.size() + 1;
    });
  }

  Tables tables_;
  Gates gates_;
  std::atomic<int64_t> none_{0};
  std::vector<const std::atomic<int64_t>*> leases_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

TEST_F(LeaseKeepers, ShareShardsOutAsNodesComeAndLeave) {
  nodes_[0]->boot();
  EXPECT_TRUE(eventually([&] { return evenly_by({0}); }));
  nodes_[1]->boot();
  nodes_[2]->boot();
  EXPECT_TRUE(eventually([&] { return evenly_by({0, 1, 2}); }));
  nodes_[1]->keeper->drain(std::chrono::seconds(10));
  for (const auto& nodes : gates_.serving()) {
    EXPECT_FALSE(nodes.contains(1)) << "all was given before it went on";
  }
  EXPECT_TRUE(eventually([&] { return evenly_by({0, 2}); }));
  nodes_[1]->keeper->stop();
  const std::lock_guard lock(tables_.mutex);
  EXPECT_EQ(tables_.members.size(), 2U);
}

TEST_F(LeaseKeepers, ReplaceANodeThatStandsStillAndTakeItBack) {
  for (auto& node : nodes_) node->boot();
  ASSERT_TRUE(eventually([&] { return evenly_by({0, 1, 2}); }));
  nodes_[2]->table.stands_still = true;
  EXPECT_TRUE(eventually([&] {
    const auto serving = gates_.serving();
    return std::ranges::all_of(
        serving, [](const std::set<int>& nodes) { return nodes.contains(0) || nodes.contains(1); });
  }));
  nodes_[2]->table.stands_still = false;
  EXPECT_TRUE(eventually([&] { return evenly_by({0, 1, 2}); }));
}

/// Killed: it says nothing to anybody, and its next start is another member.
TEST_F(LeaseKeepers, WaitForTheLeaseOfAnEarlierStart) {
  nodes_[0]->boot();
  ASSERT_TRUE(eventually([&] { return evenly_by({0}); }));
  {
    const std::lock_guard lock(tables_.mutex);
    Member ghost = tables_.members.front();
    ghost.node = "b";
    ghost.incarnation.bytes[15] = 9;
    tables_.members.push_back(ghost);
    for (uint16_t i = 0; i < k_shards / 2; ++i)
      tables_.shards[i] = {{i}, {9}, "b", ghost.incarnation};
  }
  nodes_[1]->boot();
  EXPECT_TRUE(eventually([&] { return evenly_by({0, 1}); }));
  const std::lock_guard lock(tables_.mutex);
  EXPECT_GT(tables_.shards[0].epoch.value, 9U);
}

TEST_F(LeaseKeepers, AreNeverTwoForAShardWhateverFails) {
  std::mt19937 random(std::random_device{}());
  for (auto& node : nodes_) {
    node->table.one_fails_in = 8;
    node->boot();
  }
  // On until enough has happened: what does is the chance's, and the machine's.
  constexpr int k_enough = 3 * k_shards;
  for (int round = 0; round < 25 || (round < 250 && gates_.served() <= k_enough); ++round) {
    std::this_thread::sleep_for(milliseconds(random() % 150));
    FakeTable& table = nodes_[random() % k_nodes]->table;
    table.stands_still = true;
    std::this_thread::sleep_for(milliseconds(random() % 500));
    table.stands_still = false;
  }
  for (auto& node : nodes_) node->table.one_fails_in = 0;
  EXPECT_TRUE(eventually([&] { return evenly_by({0, 1, 2}); }));
  EXPECT_GT(gates_.served(), k_enough) << "too little happened";
}

}  // namespace
}  // namespace parley
