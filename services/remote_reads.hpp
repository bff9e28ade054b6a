#pragma once

#include <set>
#include <string>
#include <vector>

#include "parley/cluster/v1/peer.pb.h"
#include "services/node.hpp"
#include "services/peer_calls.hpp"
#include "storage/foreign_histories.hpp"

namespace parley {

/// Reads of what other nodes store, for exports and for what forks share with parents elsewhere.
///
/// Owned by the server. Its reads wait for another node, for seconds at worst: they are called on
/// threads of their own, never on a queue's or CAF's. What other nodes ask is answered without
/// waiting for anything but the disk, so that no two nodes wait for each other.
class RemoteReads final : public ForeignHistories {
 public:
  static constexpr const char* k_read_history = "ReadHistory";
  static constexpr const char* k_read_state = "ReadState";
  static constexpr const char* k_list_threads = "ListThreads";

  explicit RemoteReads(Node& node) : node_(node) {}

  /// Lets other nodes ask.
  void serve(PeerCalls& peers);

  [[nodiscard]] bool elsewhere(Shard shard) const override;
  Result<std::vector<Message>> read(const HistorySpan& part, bool newest_first,
                                    PageBounds bounds) override;
  /// As Journal::read_state, of a conversation that lies elsewhere.
  Result<State> read_state(const Address& address);
  struct Threads {
    std::vector<std::string> ids;
    std::set<Shard> shards;  ///< that were looked at
    bool hidden = false;     ///< stored damage hides some
  };
  /// Of all other nodes; `user` empty: any. UNAVAILABLE where one of them does not answer.
  Result<Threads> list_threads(const std::string& tenant, const std::string& user);

 private:
  void read_history(UnaryCall<cluster::v1::ReadHistoryRequest>* call);
  void read_state_for(UnaryCall<cluster::v1::ReadStateRequest>* call);
  void list_threads_for(UnaryCall<cluster::v1::ListThreadsRequest>* call);
  Result<std::string> ask(const NodeName& owner, const char* method, const std::string& tenant,
                          std::string body);
  Status list_threads_of(const NodeName& node, const std::string& tenant, const std::string& user,
                         Threads& found);

  Node& node_;
};

}  // namespace parley
