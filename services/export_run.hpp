#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "parley/v1/conversation.pb.h"
#include "services/error_table.hpp"
#include "services/node.hpp"

namespace parley {

/// One export, conversation by conversation, from storage: nothing is activated for it.
///
/// Used by one thread, which may block. Each conversation comes as of one version; conversations
/// that are deleted while it runs are left out.
class ExportRun {
 public:
  /// Sends an encoded ExportConversationsResponse; false when nobody listens any more.
  using Send = std::function<bool(std::string)>;

  ExportRun(Node& node, std::string tenant, const v1::ExportConversationsRequest& request,
            Send send);

  /// What was wrong, or nothing when all was sent or nobody listens.
  std::optional<ApiError> run();

 private:
  using Error = std::optional<ApiError>;

  Error export_all();
  /// The names of all that there are, here and with other nodes.
  Error list_all(std::vector<std::string>& threads);
  Error list_once(std::vector<std::string>& threads, bool& whole);
  [[nodiscard]] Error missing() const;
  Error export_one(const std::string& thread, bool must_exist);
  [[nodiscard]] Result<State> read_state(const Address& address) const;
  Error send_jsonl(const Address& address, const State& state);
  Error send_full(const Address& address, const State& state);
  /// Calls `each` with every message of the state, in order.
  Error for_messages(const Address& address, const State& state,
                     const std::function<Error(std::vector<v1::Message>&)>& each);
  Error send(v1::ExportConversationsResponse& response);

  Node& node_;
  const std::string tenant_;
  const v1::ExportConversationsRequest& request_;
  const Send send_;
  bool listening_ = true;
  std::vector<std::string> damaged_;  ///< could not be read, or not to the end
  bool hidden_ = false;               ///< there may be more that the lists could not show
};

}  // namespace parley
