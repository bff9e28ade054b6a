#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "services/background_stream.hpp"
#include "services/conversation_service.hpp"
#include "services/service_types.hpp"

namespace parley {

/// The gRPC facade of operation.
///
/// Owned by the server. Handlers run on the queues' threads; what takes long has a thread of its
/// own.
class AdminService {
 public:
  using Verify = BackgroundStream<AdminRpcs, OutStream>;

  AdminService(Node& node, AdminRpcs& rpcs, PeerCalls& peers,
               const ConversationService& conversations)
      : node_(node), rpcs_(rpcs), peers_(peers), conversations_(conversations) {}

  void serve(CallQueue& queue);

 private:
  template <class Request>
  using Call = UnaryCall<Request>;

  template <class Request>
  void serve_method(CallQueue& queue, typename Rpc<AdminRpcs, Request>::Wait wait,
                    void (AdminService::*handler)(Call<Request>*));

  void server_info(Call<v1::GetServerInfoRequest>* rpc);
  void locate(Call<v1::LocateConversationRequest>* rpc);
  void create_backup(Call<v1::CreateBackupRequest>* rpc);
  void list_backups(Call<v1::ListBackupsRequest>* rpc);
  grpc::Status run_verify(Verify& stream);
  // In admin_cluster.cpp.
  void get_cluster(Call<v1::GetClusterRequest>* rpc);
  void move_shards(Call<v1::MoveShardsRequest>* rpc);

  Node& node_;
  AdminRpcs& rpcs_;
  PeerCalls& peers_;
  const ConversationService& conversations_;
  std::vector<std::shared_ptr<void>> methods_;
  std::atomic<int64_t> calls_{0};
};

}  // namespace parley
