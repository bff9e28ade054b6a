#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/cluster/database_pair.hpp"
#include "tests/integration/load.hpp"
#include "tests/support/cluster_nodes.hpp"
#include "tests/support/host_network.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::test {

enum class Shape : uint8_t { own_storage, shared_journal };

/// A cluster of which every node, and each of two databases, is on a host of its own, and all that
/// can be done to it.
///
/// Owned by the test, used on its main thread. Clients are on the switch, and reach every node at
/// all times. A node that ends by itself, or could not be started, is begun again as a supervisor
/// would.
class Rig {
 public:
  static constexpr int k_nodes = 3;
  static constexpr int k_nodes_max = 5;
  static constexpr int k_hosts = k_nodes_max + 2;
  /// Of a node whose journal is shared.
  static constexpr std::chrono::milliseconds k_lease{1'500};

  /// `directory`: for what nodes and databases wrote.
  Rig(const HostNetwork& network, Shape shape, std::string directory);
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  [[nodiscard]] Shape shape() const { return shape_; }
  [[nodiscard]] const HostNetwork& network() const { return network_; }
  ClusterNodes& nodes() { return *nodes_; }
  DatabasePair& databases() { return *databases_; }
  /// Those that are to be there.
  [[nodiscard]] const std::set<int>& there() const { return there_; }
  /// Where clients of the load come in.
  void set_doorway(Doorway* doorway);

  void kill(int node);
  void stop(int node);
  void pause(int node) { nodes_->node(node).send(SIGSTOP); }
  void wake(int node) { nodes_->node(node).send(SIGCONT); }
  /// Until it serves.
  void bring_back(int node);
  /// One after the other: stopped, and begun again.
  void roll();

  /// Two more, that get their share; and those two away again.
  void grow();
  void shrink();

  void set_clock(int node, int64_t seconds) const;
  void set_disk_delay(int host, std::chrono::milliseconds delay) const;

  /// Everything is well again, and each node knows it. Fails the test where that takes too long, or
  /// a node ended that nobody ended.
  void recover();
  /// All conversations are gone, and every node was stopped and begun again.
  void begin_anew();

 private:
  [[nodiscard]] NodePlace place(int node) const;
  [[nodiscard]] std::vector<std::string> environment(int host) const;
  [[nodiscard]] std::string clock_file(int host) const;
  [[nodiscard]] std::string delay_file(int host) const;
  void start_all();
  /// What it wrote stays, also when it is begun again.
  void keep_output(int node);

  const HostNetwork& network_;
  const Shape shape_;
  const std::string directory_;
  TempDir data_{TempDir::fast_base()};
  std::optional<DatabasePair> databases_;
  std::unique_ptr<ClusterNodes> nodes_;
  std::set<int> there_;
  Doorway* doorway_ = nullptr;
  int beginnings_ = 0;
};

}  // namespace parley::test
