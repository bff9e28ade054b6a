#pragma once

#include <functional>
#include <string>

#include "actors/fork_release.hpp"
#include "parley/cluster/v1/peer.pb.h"
#include "services/node.hpp"
#include "services/peer_calls.hpp"
#include "storage/foreign_histories.hpp"

namespace parley {

/// Forks whose parent lies with another node: what they share is read there, they are made and
/// deleted across nodes.
///
/// Owned by the server; any thread. Invariants: nothing here waits for another node but `read`,
/// which is called on threads of their own; every step may be repeated.
class RemoteForks final : public ForeignHistories, public RemoteParents {
 public:
  static constexpr const char* k_read_history = "ReadHistory";
  static constexpr const char* k_create_fork = "CreateFork";
  static constexpr const char* k_release_fork = "ReleaseFork";

  explicit RemoteForks(Node& node) : node_(node) {}

  /// Lets other nodes ask.
  void serve(PeerCalls& peers);

  [[nodiscard]] bool elsewhere(Shard shard) const override;
  Result<std::vector<Message>> read(const HistorySpan& part, bool newest_first,
                                    PageBounds bounds) override;
  void let_go(const Address& parent, const Id128& child_history,
              std::function<void(bool told)> done) override;

 private:
  void read_history(UnaryCall<cluster::v1::ReadHistoryRequest>* call);
  void create_fork(UnaryCall<cluster::v1::CreateForkRequest>* call);
  void release_fork(UnaryCall<cluster::v1::ReleaseForkRequest>* call);

  Node& node_;
};

/// For the node that is to have the fork.
cluster::v1::CreateForkRequest create_fork_request(const std::string& thread,
                                                   const std::string& title, ForkPoint point);

}  // namespace parley
