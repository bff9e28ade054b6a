#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "parley/v1/conversation.pb.h"
#include "services/node.hpp"
#include "services/page_token.hpp"
#include "services/unary_call.hpp"

/// Reads that are put together from several nodes.
namespace parley {

/// Pages of the same list from several nodes, as one page.
///
/// A value; knows nothing of nodes but which shards they did not show.
class ListMerge {
 public:
  ListMerge(size_t page_size, uint64_t query) : page_size_(page_size), query_(query) {}

  /// What a node has of these shards.
  void add(v1::ListConversationsResponse page, const std::set<Shard>& shards);
  void add_unreachable(const std::vector<Shard>& shards);
  /// The shards that nobody showed, and nobody is missed for: on their way from node to node.
  [[nodiscard]] std::vector<Shard> missing(uint32_t shard_count) const;
  /// Newest activity first, ties by id, at most a page; its token goes on where this page ends.
  v1::ListConversationsResponse finish();

 private:
  const size_t page_size_;
  const uint64_t query_;
  std::vector<v1::Conversation> found_;
  /// Where a node's page ended that has more: what comes behind it may be incomplete.
  std::vector<ListPosition> ends_;
  std::set<Shard> shown_;
  std::vector<Shard> unreachable_;
};

/// Asks other nodes the same and tells, once, when the last one has answered or failed.
///
/// `on_answer` may come on several threads, but one at a time; `on_all` after the last of them.
struct Asking {
  std::function<void(const NodeName& node, PeerAnswer answer)> on_answer;
  std::function<void(const NodeName& node, PeerFailure failure)> on_failure;
  std::function<void()> on_all;
};
struct Question {
  NodeName node;
  PeerRequest request;
};
/// With no questions, `on_all` comes at once.
void ask_all(Router& router, std::vector<Question> questions, Asking asking);

}  // namespace parley
