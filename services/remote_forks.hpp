#pragma once

#include <functional>
#include <string>

#include "actors/fork_release.hpp"
#include "parley/cluster/v1/peer.pb.h"
#include "services/node.hpp"
#include "services/peer_calls.hpp"

namespace parley {

/// Forks whose parent lies with another node: made there, and let go of there.
///
/// Owned by the server; any thread. Nothing waits here. Invariant: every step may be repeated. Not
/// its job: reading what they share (RemoteReads).
class RemoteForks final : public RemoteParents {
 public:
  static constexpr const char* k_create_fork = "CreateFork";
  static constexpr const char* k_release_fork = "ReleaseFork";

  explicit RemoteForks(Node& node) : node_(node) {}

  /// Lets other nodes ask.
  void serve(PeerCalls& peers);

  void let_go(const Address& parent, const Id128& child_history,
              std::function<void(bool told)> done) override;

 private:
  void create_fork(UnaryCall<cluster::v1::CreateForkRequest>* call);
  void release_fork(UnaryCall<cluster::v1::ReleaseForkRequest>* call);

  Node& node_;
};

/// For the node that is to have the fork.
cluster::v1::CreateForkRequest create_fork_request(const std::string& thread,
                                                   const std::string& title, ForkPoint point);

}  // namespace parley
