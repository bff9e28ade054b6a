#include "tests/services/cli/fake_server.hpp"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>

namespace parley::cli {
namespace {

constexpr int64_t k_events = 10;

}  // namespace

grpc::Status refusal(grpc::StatusCode code, const std::string& message, const std::string& reason) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("parley");
  google::rpc::Status rich;
  rich.set_code(code);
  rich.add_details()->PackFrom(info);
  return {code, message, rich.SerializeAsString()};
}

FakeServer::FakeServer() {
  grpc::EnableDefaultHealthCheckService(true);
  start();
}

FakeServer::~FakeServer() { stop(); }

void FakeServer::start() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address(), grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  server_->GetHealthCheckService()->SetServingStatus("parley.v1.ConversationService", true);
}

void FakeServer::stop() {
  if (!server_) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_.reset();
}

grpc::Status FakeServer::note(grpc::ServerContext* context) {
  const auto found = context->client_metadata().find("parley-tenant");
  if (found != context->client_metadata().end()) {
    tenant = std::string(found->second.data(), found->second.size());
  }
  had_deadline = context->deadline() < std::chrono::system_clock::time_point::max();
  if (failures.empty()) return grpc::Status::OK;
  const grpc::Status status = failures.front();
  failures.pop_front();
  return status;
}

grpc::Status FakeServer::AppendMessages(grpc::ServerContext* context,
                                        const v1::AppendMessagesRequest* request,
                                        v1::AppendMessagesResponse* response) {
  const std::lock_guard lock(mutex_);
  appends.push_back(*request);
  if (grpc::Status status = note(context); !status.ok()) return status;
  response->set_first_sequence(version_ + 1);
  version_ += request->messages_size();
  response->set_last_sequence(version_);
  response->set_version(version_);
  return grpc::Status::OK;
}

grpc::Status FakeServer::GetConversation(grpc::ServerContext* context,
                                         const v1::GetConversationRequest* request,
                                         v1::GetConversationResponse* response) {
  const std::lock_guard lock(mutex_);
  if (grpc::Status status = note(context); !status.ok()) return status;
  response->mutable_conversation()->set_thread_id(request->thread_id());
  response->mutable_conversation()->set_version(7);
  return grpc::Status::OK;
}

grpc::Status FakeServer::UpdateConversation(grpc::ServerContext* context,
                                            const v1::UpdateConversationRequest* request,
                                            v1::UpdateConversationResponse* response) {
  const std::lock_guard lock(mutex_);
  updates.push_back(*request);
  *response->mutable_conversation() = request->conversation();
  return note(context);
}

grpc::Status FakeServer::DeleteConversation(grpc::ServerContext* context,
                                            const v1::DeleteConversationRequest* request,
                                            v1::DeleteConversationResponse* response) {
  const std::lock_guard lock(mutex_);
  deletes.push_back(*request);
  response->set_version(request->allow_missing() ? 0 : 9);
  return note(context);
}

grpc::Status FakeServer::ListMessages(grpc::ServerContext* context,
                                      const v1::ListMessagesRequest* request,
                                      v1::ListMessagesResponse* response) {
  const std::lock_guard lock(mutex_);
  message_lists.push_back(*request);
  const int64_t page = request->page_token().empty() ? 1 : std::stoll(request->page_token());
  response->add_messages()->set_sequence(page);
  if (page < 3) response->set_next_page_token(std::to_string(page + 1));
  return note(context);
}

grpc::Status FakeServer::WatchConversation(grpc::ServerContext* context,
                                           const v1::WatchConversationRequest* request,
                                           grpc::ServerWriter<v1::WatchConversationResponse>* out) {
  const std::lock_guard lock(mutex_);
  if (grpc::Status status = note(context); !status.ok()) return status;
  watched_after.push_back(request->after_version());
  size_t sent = 0;
  v1::WatchConversationResponse event;
  for (int64_t version = request->after_version() + 1; version <= k_events; ++version) {
    if (watch_breaks_after != 0 && sent++ == watch_breaks_after) {
      return refusal(grpc::StatusCode::UNAVAILABLE, "the server stops", "SERVER_DRAINING");
    }
    event.set_version(version);
    event.mutable_messages_appended()->mutable_messages()->Clear();
    event.mutable_messages_appended()->add_messages()->set_sequence(version);
    out->Write(event);
  }
  event.mutable_heartbeat();
  out->Write(event);
  return grpc::Status::OK;
}

grpc::Status FakeServer::ExportConversations(
    grpc::ServerContext* context, const v1::ExportConversationsRequest* request,
    grpc::ServerWriter<v1::ExportConversationsResponse>* out) {
  const std::lock_guard lock(mutex_);
  v1::ExportConversationsResponse answer;
  for (const auto& id : request->thread_ids()) {
    if (request->form() == v1::TRANSFER_FORM_JSONL) {
      answer.mutable_record()->set_jsonl("{\"thread_id\":\"" + id + "\"}");
    } else {
      answer.mutable_record()->mutable_header()->set_thread_id(id);
    }
    out->Write(answer);
  }
  if (++exports == 1 && export_is_cut_off) return {grpc::StatusCode::UNAVAILABLE, ""};
  return note(context);
}

grpc::Status FakeServer::ImportConversations(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<v1::ImportConversationsResponse, v1::ImportConversationsRequest>*
        stream) {
  const std::lock_guard lock(mutex_);
  if (grpc::Status status = note(context); !status.ok()) return status;
  v1::ImportConversationsRequest request;
  v1::ImportConversationsResponse answer;
  size_t answered = 0;
  while (stream->Read(&request)) {
    const std::string& line = request.record().jsonl();
    imported.push_back(line);
    answer.set_thread_id(line);
    answer.set_messages_imported(2);
    answer.set_result(line == "bad" ? v1::IMPORT_RESULT_REFUSED : v1::IMPORT_RESULT_CREATED);
    answer.set_error(line == "bad" ? "it is not JSON" : "");
    answer.set_error_reason(line == "bad" ? "MALFORMED_LINE" : "");
    stream->Write(answer);
    ++answered;
    if (answered == import_hangs_after) {
      import_hangs_after = 0;
      import_hangs.set_value();
      while (stream->Read(&request)) {
      }
      return grpc::Status::CANCELLED;
    }
    if (answered == import_breaks_after) {
      import_breaks_after = 0;
      return refusal(grpc::StatusCode::UNAVAILABLE, "the server stops", "SERVER_DRAINING");
    }
  }
  return grpc::Status::OK;
}

}  // namespace parley::cli
