#pragma once

#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <grpcpp/server.h>

#include "parley/v1/conversation.grpc.pb.h"

namespace parley::cli {

/// A server in the test's process, on a port the system chooses, that answers a few calls and notes
/// what it was asked. What it can do wrong, when told to: refuse calls with any status, break a
/// watch, an import or an export off after some messages, refuse an imported conversation, and go
/// away. Owned by the test. Its calls run on gRPC's threads; everything is behind one mutex.
class FakeServer final : public v1::ConversationService::Service {
 public:
  FakeServer();
  ~FakeServer() override;

  /// Goes away: calls under way are cut off, connections are refused.
  void stop();
  /// Comes back at the same address.
  void start();

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  /// The next calls of any kind end with these, in order.
  std::deque<grpc::Status> failures;
  /// A watch ends with UNAVAILABLE SERVER_DRAINING after each so many events. 0: never.
  size_t watch_breaks_after = 0;
  /// The first import stream ends with UNAVAILABLE after so many answers. 0: never.
  size_t import_breaks_after = 0;
  /// The first import stream stands still after so many answers, until it is cut off. 0: never.
  size_t import_hangs_after = 0;
  std::promise<void> import_hangs;
  /// The first export ends with a lost connection, all of it sent.
  bool export_is_cut_off = false;

  /// What was asked.
  std::vector<v1::AppendMessagesRequest> appends;
  std::vector<v1::UpdateConversationRequest> updates;
  std::vector<v1::ListMessagesRequest> message_lists;
  std::vector<v1::DeleteConversationRequest> deletes;
  int exports = 0;
  std::vector<int64_t> watched_after;
  std::vector<std::string> imported;
  std::string tenant;
  bool had_deadline = false;

 private:
  grpc::Status note(grpc::ServerContext* context);

  grpc::Status AppendMessages(grpc::ServerContext* context,
                              const v1::AppendMessagesRequest* request,
                              v1::AppendMessagesResponse* response) override;
  grpc::Status GetConversation(grpc::ServerContext* context,
                               const v1::GetConversationRequest* request,
                               v1::GetConversationResponse* response) override;
  grpc::Status UpdateConversation(grpc::ServerContext* context,
                                  const v1::UpdateConversationRequest* request,
                                  v1::UpdateConversationResponse* response) override;
  grpc::Status DeleteConversation(grpc::ServerContext* context,
                                  const v1::DeleteConversationRequest* request,
                                  v1::DeleteConversationResponse* response) override;
  grpc::Status ListMessages(grpc::ServerContext* context, const v1::ListMessagesRequest* request,
                            v1::ListMessagesResponse* response) override;
  grpc::Status WatchConversation(grpc::ServerContext* context,
                                 const v1::WatchConversationRequest* request,
                                 grpc::ServerWriter<v1::WatchConversationResponse>* out) override;
  grpc::Status ExportConversations(
      grpc::ServerContext* context, const v1::ExportConversationsRequest* request,
      grpc::ServerWriter<v1::ExportConversationsResponse>* out) override;
  grpc::Status ImportConversations(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::ImportConversationsResponse, v1::ImportConversationsRequest>*
          stream) override;

  std::mutex mutex_;
  int64_t version_ = 0;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

/// A refusal with ErrorInfo, as the server makes it.
grpc::Status refusal(grpc::StatusCode code, const std::string& message, const std::string& reason);

}  // namespace parley::cli
