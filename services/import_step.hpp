#pragma once

#include <functional>
#include <optional>

#include "services/import_pieces.hpp"
#include "services/node.hpp"
#include "services/peer_calls.hpp"

/// Carrying out one piece of an import, wherever its conversation lies.
namespace parley {

/// How it ended.
struct ImportStep {
  std::optional<ApiError> refused;
  bool created = false;
  bool replayed = false;
  Sequence there;  ///< the last message that the conversation has; only of a piece that creates
};
using OnImportStep = std::function<void(ImportStep)>;

/// `done` is called once, on any thread. A repetition of the piece changes nothing.
void import_piece(Node& node, const Address& address, Asked piece, OnImportStep done);

/// Lets other nodes have theirs carried out here.
void serve_import_pieces(Node& node, PeerCalls& peers);

}  // namespace parley
