#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/v1/admin.pb.h"
#include "parley/v1/conversation.pb.h"

namespace parley::test {

namespace pb = ::parley::v1;

/// Status codes as gRPC numbers them, so that tests need not include gRPC for them.
enum class Code : int {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

/// How a call ended, with the rich details of the error model taken apart.
struct CallStatus {
  Code code = Code::ok;
  std::string message;
  bool has_error_info = false;
  std::string reason;
  std::string domain;
  std::map<std::string, std::string> metadata;  ///< of ErrorInfo
  std::vector<std::string> fields;              ///< of BadRequest
  bool has_retry_info = false;

  [[nodiscard]] bool ok() const { return code == Code::ok; }
};
std::ostream& operator<<(std::ostream& out, const CallStatus& status);
std::ostream& operator<<(std::ostream& out, Code code);

template <class Response>
struct Answer {
  CallStatus status;
  Response value;

  [[nodiscard]] bool ok() const { return status.ok(); }
  const Response* operator->() const { return &value; }
};

struct CallOptions {
  std::chrono::milliseconds timeout = std::chrono::seconds(20);
  std::string tenant;
  std::string trace_parent;
};

/// A stream of answers. Blocking; `cancel` may be called on any thread.
template <class Response>
class Stream {
 public:
  virtual ~Stream() = default;
  /// The next answer; false at the end.
  virtual bool read(Response& response) = 0;
  virtual CallStatus finish() = 0;
  virtual void cancel() = 0;
};

/// An import under way: records go in, results come out; both sides may be used by a thread each.
class ImportStream : public Stream<pb::ImportConversationsResponse> {
 public:
  virtual bool write(const pb::ImportConversationsRequest& request) = 0;
  virtual void writes_done() = 0;
};

/// Calls one server over one connection. Thread-safe. A call that cannot be made at once answers
/// UNAVAILABLE, it does not wait for a server.
class Client {
 public:
  explicit Client(const std::string& address);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

#define PARLEY_UNARY(Method)                                            \
  Answer<pb::Method##Response> call(const pb::Method##Request& request, \
                                    const CallOptions& options = {})
  PARLEY_UNARY(CreateConversation);
  PARLEY_UNARY(GetConversation);
  PARLEY_UNARY(BatchGetConversations);
  PARLEY_UNARY(ListConversations);
  PARLEY_UNARY(UpdateConversation);
  PARLEY_UNARY(DeleteConversation);
  PARLEY_UNARY(ResetConversation);
  PARLEY_UNARY(ForkConversation);
  PARLEY_UNARY(AppendMessages);
  PARLEY_UNARY(ListMessages);
  PARLEY_UNARY(RecordUsage);
  PARLEY_UNARY(GetUsage);
  PARLEY_UNARY(GetServerInfo);
  PARLEY_UNARY(LocateConversation);
  PARLEY_UNARY(CreateBackup);
  PARLEY_UNARY(ListBackups);
  PARLEY_UNARY(GetCluster);
  PARLEY_UNARY(MoveShards);
#undef PARLEY_UNARY

  std::unique_ptr<Stream<pb::WatchConversationResponse>> stream(
      const pb::WatchConversationRequest& request, const CallOptions& options = {});
  std::unique_ptr<Stream<pb::ExportConversationsResponse>> stream(
      const pb::ExportConversationsRequest& request, const CallOptions& options = {});
  std::unique_ptr<Stream<pb::VerifyStorageResponse>> stream(const pb::VerifyStorageRequest& request,
                                                            const CallOptions& options = {});
  std::unique_ptr<ImportStream> import(const CallOptions& options = {});

  /// Sends bytes as they are to a method such as "/parley.v1.ConversationService/GetConversation".
  CallStatus call_raw(const std::string& method, const std::string& request,
                      std::string* response = nullptr, const CallOptions& options = {});
  /// The same for a method that streams both ways: one request, the first answer.
  CallStatus stream_raw(const std::string& method, const std::string& request,
                        std::string* response, const CallOptions& options = {});
  /// grpc.health.v1.Health/Check of a service; "" for the process. "SERVING", "NOT_SERVING", ...
  std::string health(const std::string& service);
  /// Health/Watch: the status now, and each that follows.
  std::unique_ptr<Stream<std::string>> watch_health(const std::string& service);
  /// Starts an append and cancels it at once.
  void call_and_cancel(const pb::AppendMessagesRequest& request);
  /// Connects now; false where that fails.
  bool connect(std::chrono::milliseconds patience);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace parley::test
