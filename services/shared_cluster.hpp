#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "cluster/caf_link.hpp"
#include "cluster/lease_keeper.hpp"
#include "services/node_gate.hpp"
#include "storage/postgres/shared_ownership.hpp"
#include "storage/postgres_journals.hpp"

namespace parley {

/// This node's place in a cluster whose nodes share a journal: its leases, its shards, and what it
/// knows of the others. In each of the journal's databases it is a member by itself, and has a
/// lease for the shards that are there: where one does not answer, the others' go on.
///
/// Owned by the server. Started when calls can be served, and stopped when none is under way any
/// more. Any thread may look.
class SharedCluster final : public ShardsView {
 public:
  struct Options {
    PeerAddress self;
    LeaseTimes times;
    std::vector<postgres::ConnectionOptions> databases;  ///< in the journal's order
  };
  SharedCluster(Options options, PostgresJournals& journals, Node& node, NodeGate& gate,
                CafTransport& links);

  /// Takes what other nodes say; once, before `start`.
  void serve_peers(PeerCalls& peers);
  /// Joins in the databases that are open.
  void start();
  /// Looks for those that were away, and joins there. After `start`, one thread.
  void sweep();
  void drain(std::chrono::milliseconds most);
  void stop();

  /// As Environment::leases_until has them.
  [[nodiscard]] std::vector<const std::atomic<int64_t>*> leases_until() const;
  [[nodiscard]] std::vector<Look> look() const override;

 private:
  /// This node's membership in one database. The neighbourhood's calls come on its keeper's thread.
  struct Part final : public Neighbourhood {
    Part(SharedCluster& its_cluster, uint32_t its_number, const Options& options);

    void members(const std::vector<Member>& members) override;
    void owned_elsewhere(Shard shard, const NodeName& owner, Epoch epoch) override;
    void tell_to_look(const NodeName& node) override;

    SharedCluster& cluster;
    const uint32_t number;
    postgres::SharedOwnership table;
    LeaseKeeper keeper;
    bool started = false;
  };

  void members_of(uint32_t part, std::vector<Member> members);
  /// All nodes that any of the databases knows, at the address that was heard last.
  [[nodiscard]] std::vector<PeerAddress> all_nodes() const;

  const PeerAddress self_;
  PostgresJournals& journals_;
  Node& node_;
  NodeGate& gate_;
  CafTransport& links_;
  struct Heard {
    uint32_t part;
    std::vector<Member> members;  ///< without their counts
  };
  std::mutex mutex_;          ///< held while links and router are told
  std::vector<Heard> heard_;  ///< of each database, in the order of the last change
  std::vector<std::unique_ptr<Part>> parts_;
  bool lacking_ = false;  ///< what the last sweep did not find
};

}  // namespace parley
