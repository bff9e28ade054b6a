#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/client.hpp"
#include "tests/support/server_process.hpp"

namespace parley::test {

/// The nodes of a cluster with storage of their own, each a process, and a client of each.
///
/// Owned by a fixture; one thread.
class ClusterNodes {
 public:
  /// Starts them and waits until each is linked to all others. A count of one is a server alone.
  ClusterNodes(std::string dir, int count, std::vector<std::string> flags);

  [[nodiscard]] static std::string name(int node);
  [[nodiscard]] int count() const { return static_cast<int>(nodes_.size()); }
  [[nodiscard]] const std::string& peers() const { return peers_; }
  [[nodiscard]] std::string data_dir(int node) const { return dir_ + "/" + name(node); }
  ServerProcess& node(int node) { return *nodes_[static_cast<size_t>(node)]; }
  Client& client(int node) { return *clients_[static_cast<size_t>(node)]; }

  void start(int node);
  /// Every shard answers through each node.
  void wait_until_linked();
  /// Kills all and starts them again.
  void restart();
  /// In order; each must end well.
  void stop(int node);
  void stop_all();
  /// The number of the node that a conversation lies on.
  int home_of(const std::string& thread);
  /// A fresh conversation that lies on that node.
  std::string created_on(int node);

 private:
  void wait_until_linked(int node);

  const std::string dir_;
  const std::vector<std::string> flags_;
  std::string peers_;
  std::vector<std::unique_ptr<ServerProcess>> nodes_;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace parley::test
