#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/background_stream.hpp"
#include "services/service_types.hpp"

namespace parley {

/// ExportConversations and ImportConversations.
///
/// Owned by the server. Each call runs on a thread of its own (BackgroundStream). An import keeps a
/// bounded number of conversations under way and answers in the order they came.
class TransferService {
 public:
  using Export = BackgroundStream<ConversationRpcs, OutStream>;
  using Import = BackgroundStream<ConversationRpcs, InOutStream>;

  TransferService(Node& node, ConversationRpcs& rpcs) : node_(node), rpcs_(rpcs) {}

  void serve(CallQueue& queue);

 private:
  grpc::Status run_export(Export& stream);
  grpc::Status run_import(Import& stream);

  Node& node_;
  ConversationRpcs& rpcs_;
  std::vector<std::shared_ptr<void>> methods_;
  std::atomic<int64_t> exports_{0};
  std::atomic<int64_t> imports_{0};
};

}  // namespace parley
