#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/client.hpp"
#include "tests/support/server_process.hpp"

namespace parley::test {

/// Where a node runs.
struct NodePlace {
  std::string address = "127.0.0.1";
  int client_port = 0;  ///< 0: any that is free
  int peer_port = 0;    ///< the same
  std::vector<std::string> wrapper;
  std::vector<std::string> environment;
};

/// The nodes of a cluster, each a process, and a client of each: with storage of their own, or with
/// a journal that they share.
///
/// Owned by a fixture; one thread.
class ClusterNodes {
 public:
  /// Starts them and waits until each is linked to all others. A count of one is a server alone.
  /// `journals`: the databases that they share; none: each has storage of its own.
  ClusterNodes(std::string dir, int count, std::vector<std::string> flags,
               std::vector<std::string> journals = {})
      : ClusterNodes(std::move(dir), std::vector<NodePlace>(static_cast<size_t>(count)),
                     std::move(flags), std::move(journals)) {}
  ClusterNodes(std::string dir, const std::vector<NodePlace>& places,
               std::vector<std::string> flags, std::vector<std::string> journals = {});

  [[nodiscard]] static std::string name(int node);
  [[nodiscard]] int count() const { return static_cast<int>(nodes_.size()); }
  [[nodiscard]] std::string peers() const;
  [[nodiscard]] std::string data_dir(int node) const { return dir_ + "/" + name(node); }
  ServerProcess& node(int node) { return *nodes_[static_cast<size_t>(node)]; }
  Client& client(int node) { return *clients_[static_cast<size_t>(node)]; }

  /// One more, not started yet. Those that run know of it once they are started again.
  int add(std::vector<std::string> flags, NodePlace place = {});
  /// The last one is no more; it was stopped before.
  void remove_last();

  void start(int node);
  /// False where it ended before it served, or did not serve within that time.
  bool try_to_start(int node, std::chrono::milliseconds patience);
  /// As `start` starts it.
  [[nodiscard]] ServerOptions options(int node) const;
  /// Every shard answers through each node.
  void wait_until_linked();
  /// Each shard is served by one of these nodes, and they all know it.
  void wait_until_settled(const std::vector<int>& nodes);
  [[nodiscard]] bool settled_for(int node, const std::vector<int>& nodes);
  /// Kills all and starts them again.
  void restart();
  /// In order; each must end well.
  void stop(int node);
  void stop_all();
  using Places = std::map<int, std::string>;
  /// The owners of the shards, where each one says itself that it serves, as a node knows it.
  Places settled(int node);
  /// What the command line says of a node, on both of its outputs.
  std::string parley(int node, const std::string& arguments);
  /// The number of the node that a conversation lies on.
  int home_of(const std::string& thread);
  /// A fresh conversation that lies on that node.
  std::string created_on(int node);

 private:
  void wait_until_linked(int node);

  const std::string dir_;
  const std::vector<std::string> flags_;
  const std::vector<std::string> journals_;
  std::vector<NodePlace> places_;   ///< by the node's number, as all below
  std::vector<std::string> peers_;  ///< NAME=HOST:PORT
  std::vector<std::vector<std::string>> own_flags_;
  std::vector<std::unique_ptr<ServerProcess>> nodes_;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace parley::test
