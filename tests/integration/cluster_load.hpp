#pragma once

#include <iostream>
#include <memory>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/load.hpp"
#include "tests/support/cluster_nodes.hpp"
#include "tests/support/history_checker.hpp"

namespace parley::test {

/// One load by way of each node that a cluster has at the beginning.
///
/// Owned by a test, and outlived by the nodes.
class ClusterLoad {
 public:
  ClusterLoad(ClusterNodes& nodes, std::mt19937_64& random) : nodes_(nodes) {
    for (int node = 0; node < nodes_.count(); ++node) {
      loads_.push_back(std::make_unique<Load>(random(), node));
      came(node);
      loads_.back()->start(nodes_.client(node));
    }
  }
  /// Clients wait until it comes.
  void goes(int node) { loads_[static_cast<size_t>(node)]->doorway().shut(); }
  void came(int node) {
    loads_[static_cast<size_t>(node)]->doorway().open(nodes_.node(node).address());
  }
  /// Lets all finish what they are about; every node must be there.
  void finish() {
    for (int node = 0; node < count(); ++node) {
      loads_[static_cast<size_t>(node)]->finish(nodes_.client((node + 1) % count()));
    }
  }
  /// Every conversation is what its clients saw, also by way of other nodes.
  void check() {
    int64_t acknowledged = 0;
    for (int node = 0; node < count(); ++node) {
      Load& load = *loads_[static_cast<size_t>(node)];
      acknowledged += load.acknowledged();
      Client& other = nodes_.client((node + 2) % count());
      for (const auto& conversation : load.shared()) {
        EXPECT_THAT(check_history(conversation->history(other)), testing::IsEmpty());
      }
      for (const auto& own : load.own()) own->check_all();
    }
    std::cout << acknowledged << " acknowledged changes\n";
    EXPECT_GT(acknowledged, 100) << "too little was done to prove anything";
  }

 private:
  [[nodiscard]] int count() const { return static_cast<int>(loads_.size()); }

  ClusterNodes& nodes_;
  std::vector<std::unique_ptr<Load>> loads_;
};

}  // namespace parley::test
