#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "absl/strings/str_split.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/cluster/faults.hpp"
#include "tests/integration/cluster/rig.hpp"
#include "tests/integration/load.hpp"
#include "tests/support/history_checker.hpp"
#include "tests/support/number_from.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/temp_dir.hpp"

/// A cluster under faults that one seed draws, and clients whose histories are judged.
///
/// PARLEY_SHAPE: "static" or "shared". PARLEY_SEED: drawn where it is not given.
/// PARLEY_CHAOS_SECONDS: for so long faults are begun. PARLEY_CHAOS_ONLY: the name of the one fault
/// that there is to be, or names with a comma between of those that are to be at once.
/// PARLEY_CHAOS_KEEP: a directory for what nodes and databases wrote, which stays.
namespace parley::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::IsEmpty;
using Clock = std::chrono::steady_clock;

/// A chapter has clients and conversations of its own, so that histories stay small.
constexpr seconds k_chapter{20};
/// A cluster is begun anew after so many.
constexpr int k_chapters_per_cluster = 8;
/// So much is to be done once all is well again, and within that time.
constexpr int64_t k_acknowledged_after_faults = 100;
constexpr seconds k_progress_max{30};
constexpr milliseconds k_patience{3'000};
constexpr LoadSize k_load{.shared = 8, .appenders = 16, .owners = 6, .patience = k_patience};
/// Changes wait for two databases, and those of many are written at once.
constexpr LoadSize k_load_of_shared{
    .shared = 10, .appenders = 40, .owners = 14, .patience = k_patience};

std::string text_from(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? "" : text;
}

class Chaos : public testing::Test {
 protected:
  void SetUp() override {
    const std::string missing = HostNetwork::missing();
    if (!missing.empty()) GTEST_SKIP() << missing;
    const bool shared = text_from("PARLEY_SHAPE") == "shared";
    std::cout << "PARLEY_SEED=" << seed_ << " PARLEY_SHAPE=" << (shared ? "shared" : "static")
              << std::endl;
    const std::string keep = text_from("PARLEY_CHAOS_KEEP");
    if (keep.empty()) dir_ = std::make_unique<TempDir>();
    network_ = std::make_unique<HostNetwork>(Rig::k_hosts);
    rig_ = std::make_unique<Rig>(*network_, shared ? Shape::shared_journal : Shape::own_storage,
                                 keep.empty() ? dir_->path().string() : keep);
    faults_ = std::make_unique<Faults>(*rig_, random_);
  }

  /// One fault, or as many as three at once, from begin to end.
  void go_wrong() {
    std::vector<Fault> at_once;
    std::set<int> taken;
    // Of six times three alone, two in pairs, one with two others.
    static constexpr std::array<size_t, 6> k_at_once{1, 1, 1, 2, 2, 3};
    const size_t most = only_.empty() ? k_at_once[random_() % k_at_once.size()] : only_.size();
    for (int drawn = 0; at_once.size() < most; ++drawn) {
      ASSERT_LT(drawn, 100'000) << "no such faults, or not at once";
      Fault fault = faults_->draw(taken);
      if (!only_.empty() && fault.name != only_[at_once.size()]) continue;
      if (fault.name.empty()) {
        if (at_once.empty()) continue;
        break;
      }
      taken.insert(fault.hosts.begin(), fault.hosts.end());
      at_once.push_back(std::move(fault));
    }
    milliseconds length{0};
    for (const Fault& fault : at_once) {
      say((&fault == at_once.data() ? "" : "and ") + fault.name);
      ++count_[fault.name];
      fault.begin();
      length = std::max(length, fault.length);
    }
    std::this_thread::sleep_for(length);
    // Databases first: a node does not start without one.
    const auto of_database = [](const Fault& fault) {
      return !fault.hosts.empty() && *fault.hosts.rbegin() >= Rig::k_nodes_max;
    };
    std::ranges::stable_partition(at_once, of_database);
    for (const Fault& fault : at_once) fault.end();
    std::this_thread::sleep_for(milliseconds(random_() % 400));
  }

  void chapter(int number, Clock::time_point until) {
    const bool shared = rig_->shape() == Shape::shared_journal;
    Load load(random_(), number, shared ? k_load_of_shared : k_load);
    rig_->set_doorway(&load.doorway());
    load.start(rig_->nodes().client(0));
    const auto end = std::min(until, Clock::now() + k_chapter);
    do {
      go_wrong();
    } while (Clock::now() < end && !HasFailure());
    const auto healed = Clock::now();
    rig_->recover();
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - healed);
    slowest_recovery_ = std::max(slowest_recovery_, took);
    say("well again after " + std::to_string(took.count()) + " ms");
    expect_progress(load);
    // Why: a cluster that does not come back answers nobody who asks what it holds.
    if (HasFailure()) return rig_->set_doorway(nullptr);
    load.finish(rig_->nodes().client(1));
    check(load);
    rig_->set_doorway(nullptr);
  }

  /// Clients that were hit get on with what they were about.
  void expect_progress(const Load& load) {
    const int64_t before = load.acknowledged();
    const auto until = Clock::now() + k_progress_max;
    while (load.acknowledged() < before + k_acknowledged_after_faults) {
      if (Clock::now() > until) {
        FAIL() << "all is well, and yet only " << load.acknowledged() - before
               << " changes were acknowledged since";
      }
      std::this_thread::sleep_for(milliseconds(20));
    }
  }

  void check(Load& load) {
    for (const auto& conversation : load.shared()) {
      Client& client = rig_->nodes().client(static_cast<int>(random_() % Rig::k_nodes));
      EXPECT_THAT(check_history(conversation->history(client)), IsEmpty());
    }
    for (const auto& own : load.own()) own->check_all();
    if (rig_->shape() == Shape::own_storage) {
      for (const int node : rig_->there()) {
        EXPECT_THAT(storage_problems(rig_->nodes().client(node)), IsEmpty());
      }
    }
    operations_ += load.operations();
    acknowledged_ += load.acknowledged();
    say(std::to_string(load.operations()) + " operations checked");
  }

  void say(const std::string& what) const {
    const auto at = std::chrono::duration_cast<milliseconds>(Clock::now() - begun_);
    std::cout << at.count() << " ms: " << what << std::endl;
  }

  void say_what_there_was() {
    int faults = 0;
    for (const auto& [name, count] : count_) {
      faults += count;
      std::cout << "  " << name << ": " << count << "\n";
    }
    std::cout << faults << " faults, " << operations_ << " operations checked, " << acknowledged_
              << " of them acknowledged changes; slowest recovery " << slowest_recovery_.count()
              << " ms" << std::endl;
  }

  const uint64_t seed_ = number_from("PARLEY_SEED", std::random_device{}());
  std::mt19937_64 random_{seed_};
  std::unique_ptr<TempDir> dir_;
  std::unique_ptr<HostNetwork> network_;
  std::unique_ptr<Rig> rig_;
  std::unique_ptr<Faults> faults_;
  const Clock::time_point begun_ = Clock::now();
  const std::vector<std::string> only_ =
      absl::StrSplit(text_from("PARLEY_CHAOS_ONLY"), ',', absl::SkipEmpty());
  std::map<std::string, int> count_;
  int64_t operations_ = 0;
  int64_t acknowledged_ = 0;
  milliseconds slowest_recovery_{0};
};

TEST_F(Chaos, LosesDoublesAndStalesNothing) {
  const auto until = Clock::now() + seconds(number_from("PARLEY_CHAOS_SECONDS", 60));
  for (int number = 0; Clock::now() < until && !HasFailure(); ++number) {
    if (number > 0 && number % k_chapters_per_cluster == 0) rig_->begin_anew();
    chapter(number, until);
  }
  say_what_there_was();
}

}  // namespace
}  // namespace parley::test
