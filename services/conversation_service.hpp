#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/node.hpp"
#include "services/peer_calls.hpp"
#include "services/rpc.hpp"
#include "services/service_types.hpp"

namespace parley {

/// The gRPC facade of conversations: takes calls from the queues, checks and translates them, asks
/// the conversation, and answers exactly once.
///
/// Owned by the server. Handlers run on the queues' threads and never block: what has to read
/// storage goes through Node::blocking. Not its job: what a call means (conversation/), which
/// errors there are (services/error_table), when an answer may go out (conversation/engine).
class ConversationService {
 public:
  ConversationService(Node& node, ConversationRpcs& rpcs, PeerCalls& peers)
      : node_(node), rpcs_(rpcs), peers_(peers) {}

  /// Waits for calls of every method on this queue, and lets other nodes make them.
  void serve(CallQueue& queue);

  /// Calls taken since the start, by method.
  [[nodiscard]] std::map<std::string, int64_t> call_counts() const;

 private:
  template <class Request>
  using Call = UnaryCall<Request>;

  template <class Request>
  void serve_method(CallQueue& queue, const char* name,
                    typename Rpc<ConversationRpcs, Request>::Wait wait,
                    void (ConversationService::*handler)(Call<Request>*), int waiting);

  // conversation_service.cpp: the hot path.
  void append(Call<v1::AppendMessagesRequest>* rpc);
  void get(Call<v1::GetConversationRequest>* rpc);
  void list_messages(Call<v1::ListMessagesRequest>* rpc);

  // conversation_changes.cpp
  void create(Call<v1::CreateConversationRequest>* rpc);
  void update(Call<v1::UpdateConversationRequest>* rpc);
  void remove(Call<v1::DeleteConversationRequest>* rpc);
  void reset(Call<v1::ResetConversationRequest>* rpc);
  void fork(Call<v1::ForkConversationRequest>* rpc);
  void record_usage(Call<v1::RecordUsageRequest>* rpc);

  // conversation_reads.cpp
  void batch_get(Call<v1::BatchGetConversationsRequest>* rpc);
  void list(Call<v1::ListConversationsRequest>* rpc);
  void get_usage(Call<v1::GetUsageRequest>* rpc);

  Node& node_;
  ConversationRpcs& rpcs_;
  PeerCalls& peers_;
  /// What each method's calls share; made by `serve`, gone with the service.
  std::vector<std::shared_ptr<void>> methods_;
  std::map<std::string, std::atomic<int64_t>> counts_;
};

}  // namespace parley
