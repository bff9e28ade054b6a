#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "cluster/caf_link.hpp"
#include "cluster/lease_keeper.hpp"
#include "services/node_gate.hpp"
#include "storage/postgres/shared_ownership.hpp"

namespace parley {

/// This node's place in a cluster whose nodes share a journal: its lease, its shards, and what it
/// knows of the others.
///
/// Owned by the server. Started when calls can be served, and stopped when none is under way any
/// more.
class SharedCluster final : public Neighbourhood {
 public:
  struct Options {
    PeerAddress self;
    LeaseTimes times;
    postgres::ConnectionOptions database;
  };
  SharedCluster(Options options, Node& node, NodeGate& gate, CafTransport& links);

  /// Takes what other nodes say; once, before `start`.
  void serve_peers(PeerCalls& peers);
  void start() { keeper_.start(); }
  void drain(std::chrono::milliseconds most) { keeper_.drain(most); }
  void stop() { keeper_.stop(); }

  [[nodiscard]] const LeaseKeeper& keeper() const { return keeper_; }

  void members(const std::vector<Member>& members) override;
  void owned_elsewhere(Shard shard, const NodeName& owner, Epoch epoch) override;
  void tell_to_look(const NodeName& node) override;

 private:
  const PeerAddress self_;
  Node& node_;
  NodeGate& gate_;
  CafTransport& links_;
  std::vector<Member> members_;  ///< as they were told last, without their counts
  postgres::SharedOwnership table_;
  LeaseKeeper keeper_;
};

}  // namespace parley
