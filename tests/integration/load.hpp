#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/integration/crash_world.hpp"

namespace parley::test {

/// How many take part.
struct LoadSize {
  int shared = 3;     ///< conversations, the last one with resets, each with one watcher
  int appenders = 4;  ///< who use them
  int owners = 2;     ///< who have conversations of their own
  std::chrono::milliseconds patience = std::chrono::seconds(20);  ///< for one call
};

/// The clients, each on a thread of its own, and what they share.
class Load {
 public:
  /// `group`: tells loads of one test apart.
  explicit Load(uint64_t seed, int group = 0, LoadSize size = {})
      : size_(size), random_(seed), doorway_(size.patience) {
    const std::string name = std::to_string(group) + "-";
    for (int i = 0; i < size_.shared; ++i) {
      shared_.push_back(std::make_unique<SharedConversation>(
          doorway_, "shared-" + name + std::to_string(i), i == size_.shared - 1));
    }
    for (int i = 0; i < size_.owners; ++i) {
      private_.push_back(std::make_unique<PrivateConversations>(
          doorway_, "own-" + name + std::to_string(i), random_()));
    }
  }
  ~Load() {
    stopping_ = true;
    doorway_.close();
    join();
  }

  Doorway& doorway() { return doorway_; }
  std::vector<std::unique_ptr<SharedConversation>>& shared() { return shared_; }
  std::vector<std::unique_ptr<PrivateConversations>>& own() { return private_; }

  void start(Client& client) {
    for (const auto& conversation : shared_) {
      ASSERT_TRUE(client.call(create(conversation->thread())).ok());
    }
    for (int i = 0; i < size_.appenders; ++i) {
      workers_.emplace_back([this, i, seed = random_()] { act_on_shared(i, seed); });
    }
    for (const auto& own : private_) {
      workers_.emplace_back([this, &own] {
        while (!stopping_) own->act();
      });
    }
    for (int i = 0; i < static_cast<int>(shared_.size()); ++i) {
      watchers_.emplace_back([this, i] { shared_[i]->watch(100 + i, i % 2); });
    }
  }

  /// Lets all finish what they are about; the server must be there.
  void finish(Client& client) {
    stopping_ = true;
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    for (const auto& conversation : shared_) {
      conversation->stop_watching(must_get(client, conversation->thread()).version());
    }
    for (std::thread& watcher : watchers_) watcher.join();
    watchers_.clear();
  }

  /// All that there is to check.
  int64_t operations() const {
    int64_t sum = 0;
    for (const auto& conversation : shared_) sum += conversation->operations();
    for (const auto& own : private_) sum += own->operations();
    return sum;
  }

  int64_t acknowledged() const {
    int64_t sum = 0;
    for (const auto& conversation : shared_) sum += conversation->acknowledged();
    for (const auto& own : private_) sum += own->acknowledged();
    return sum;
  }

 private:
  void act_on_shared(int client, uint64_t seed) {
    std::mt19937_64 random(seed);
    while (!stopping_) {
      shared_[random() % shared_.size()]->act(client, random);
      // Why: paces the load, so that histories stay small; nothing waits for it.
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    }
  }

  void join() {
    for (std::thread& worker : workers_) worker.join();
    for (std::thread& watcher : watchers_) watcher.join();
  }

  const LoadSize size_;
  std::mt19937_64 random_;
  Doorway doorway_;
  std::atomic<bool> stopping_ = false;
  std::vector<std::unique_ptr<SharedConversation>> shared_;
  std::vector<std::unique_ptr<PrivateConversations>> private_;
  std::vector<std::thread> workers_;
  std::vector<std::thread> watchers_;
};

}  // namespace parley::test
