#include <atomic>
#include <map>
#include <memory>
#include <utility>

#include "parley/cluster/v1/peer.pb.h"
#include "services/cluster_reads.hpp"
#include "services/conversation_service.hpp"
#include "services/history_page.hpp"
#include "services/lambda_call.hpp"
#include "services/peer_calls.hpp"
#include "services/shards_here.hpp"
#include "services/translate.hpp"
#include "services/validate.hpp"
#include "services/wire.hpp"

namespace parley {
namespace {

constexpr const char* k_list_here = "ListHere";

/// One BatchGetConversations: asks all at once, answers when the last one has.
///
/// Shared by the calls under way; each writes its own place, the last to finish reads all.
class BatchGet : public std::enable_shared_from_this<BatchGet> {
 public:
  using Origin = UnaryCall<v1::BatchGetConversationsRequest>;

  BatchGet(Node& node, Origin* rpc)
      : node_(node), rpc_(rpc), found_(static_cast<size_t>(rpc->request.thread_ids_size())) {}

  void start() {
    std::vector<int> here;
    std::map<NodeName, std::vector<int>> elsewhere;
    for (int i = 0; i < rpc_->request.thread_ids_size(); ++i) {
      const NodeName* node =
          node_.elsewhere(node_.address(rpc_->tenant, rpc_->request.thread_ids(i)));
      if (node == nullptr) {
        here.push_back(i);
      } else if (rpc_->peer() == nullptr) {
        elsewhere[*node].push_back(i);
      }
    }
    left_ = static_cast<int>(here.size()) + (elsewhere.empty() ? 0 : 1) + 1;
    for (const int i : here) ask(i);
    if (!elsewhere.empty()) ask_others(elsewhere);
    done_one();
  }

 private:
  struct Found {
    std::string bytes;  ///< of a v1.Conversation field, empty unless found
    bool missing = false;
  };

  /// What a node does not answer stays unreachable.
  void ask_others(const std::map<NodeName, std::vector<int>>& elsewhere) {
    std::vector<Question> questions;
    for (const auto& [node, places] : elsewhere) {
      v1::BatchGetConversationsRequest part;
      part.set_message_limit(rpc_->request.message_limit());
      for (const int i : places) part.add_thread_ids(rpc_->request.thread_ids(i));
      questions.push_back({node, handed_on("BatchGetConversations", rpc_->tenant,
                                           part.SerializeAsString(), *rpc_)});
    }
    auto on_answer = [this, elsewhere, self = shared_from_this()](const NodeName& node,
                                                                  const PeerAnswer& answer) {
      v1::BatchGetConversationsResponse part;
      if (answer.code != 0 || !parse(answer.body, part)) return;
      take(part, elsewhere.at(node));
    };
    ask_all(*node_.router, std::move(questions),
            {on_answer, [](const NodeName&, PeerFailure) {},
             [this, self = shared_from_this()] { done_one(); }});
  }

  void take(const v1::BatchGetConversationsResponse& part, const std::vector<int>& places) {
    std::map<std::string, Found> by_thread;
    for (const auto& conversation : part.conversations()) {
      v1::BatchGetConversationsResponse one;
      *one.add_conversations() = conversation;
      by_thread[conversation.thread_id()].bytes = one.SerializeAsString();
    }
    for (const auto& thread : part.not_found()) by_thread[thread].missing = true;
    for (const int i : places) {
      const auto found = by_thread.find(rpc_->request.thread_ids(i));
      if (found != by_thread.end()) found_[static_cast<size_t>(i)] = found->second;
    }
  }

  void done_one() {
    if (--left_ == 0) finish();
  }

  void ask(int i) {
    auto& place = found_[static_cast<size_t>(i)];
    const auto wanted = static_cast<size_t>(rpc_->request.message_limit());
    auto on_render = [this, &place, i, wanted, self = shared_from_this()](
                         const State& state, const RecentMessages& recent) {
      append_wire_conversation(1, state, rpc_->request.thread_ids(i),
                               newest_within(recent, wanted, node_.environment.limits),
                               place.bytes);
    };
    auto on_done = [this, &place, self = shared_from_this()](const Done& done) {
      if (done.receipt() == nullptr) {
        place.bytes.clear();
        place.missing = done.was_refused && done.refused_for == Reason::conversation_not_found;
      }
      done_one();
    };
    node_.registry.dispatch(new LambdaCall(node_,
                                           node_.address(rpc_->tenant, rpc_->request.thread_ids(i)),
                                           Read{}, on_done, on_render));
  }

  void finish() {
    std::string bytes;
    v1::BatchGetConversationsResponse rest;
    for (size_t i = 0; i < found_.size(); ++i) {
      Found& found = found_[i];
      const std::string& thread = rpc_->request.thread_ids(static_cast<int>(i));
      if (found.missing) {
        rest.add_not_found(thread);
      } else if (found.bytes.empty() ||
                 bytes.size() + found.bytes.size() > node_.environment.limits.response_bytes) {
        rest.add_unreachable(thread);
      } else {
        bytes += found.bytes;
      }
    }
    rpc_->finish(bytes + rest.SerializeAsString());
  }

  Node& node_;
  Origin* rpc_;
  std::vector<Found> found_;
  std::atomic<int> left_{0};
};

/// What is here of a list.
struct ListedHere {
  v1::ListConversationsResponse page;
  std::set<Shard> shards;  ///< that it is whole of
};

Checked<ListedHere> list_page(Node& node, const std::string& tenant,
                              const ConversationListing& wanted) {
  ListQuery query{.tenant = tenant,
                  .user = wanted.user,
                  .labels = wanted.labels,
                  .lifecycle = wanted.lifecycle,
                  .after = std::nullopt,
                  .count_max = wanted.page_size};
  if (wanted.after) query.after = {wanted.after->last_activity, wanted.after->thread};
  const ShardsHere shards(node);
  std::set<Shard> unreachable;
  auto listed = node.store.list(query);
  if (!listed.ok()) return error_of(listed.status());
  v1::ListConversationsResponse response;
  for (const auto& entry : listed->conversations) {
    const Address address = node.address(tenant, entry.thread);
    const auto state = node.store.read_state(address.key, address.shard);
    if (absl::IsUnavailable(state.status())) unreachable.insert(address.shard);
    // Deleted since it was listed, or damaged: GetConversation says more.
    if (!state.ok() || !state->exists) continue;
    fill_conversation(*state, entry.thread, *response.add_conversations());
  }
  unreachable.insert(listed->unreadable.begin(), listed->unreadable.end());
  unreachable.insert(listed->unreachable.begin(), listed->unreachable.end());
  for (const Shard shard : unreachable) response.add_unreachable_shards(shard.value);
  if (listed->conversations.size() == wanted.page_size) {
    const auto& last = listed->conversations.back();
    response.set_next_page_token(
        make_page_token(ListPosition{last.last_activity, last.thread}, wanted.query));
  }
  // Why so late: of a shard that passed on meanwhile states were not read any more.
  return ListedHere{std::move(response), shards.still()};
}

/// The same of every other node, beside what is here.
void list_others(Node& node, UnaryCall<v1::ListConversationsRequest>* rpc,
                 const ConversationListing& wanted, ListedHere here) {
  auto merge = std::make_shared<ListMerge>(wanted.page_size, wanted.query);
  auto all_answered = std::make_shared<bool>(true);
  merge->add(std::move(here.page), here.shards);
  std::vector<Question> questions;
  for (const NodeName& other : node.router->others()) {
    questions.push_back(
        {other, handed_on(k_list_here, rpc->tenant, rpc->request.SerializeAsString(), *rpc)});
  }
  const auto give_up = [merge, all_answered, &node](const NodeName& other) {
    *all_answered = false;
    merge->add_unreachable(node.router->shards_of(other));
  };
  const auto on_answer = [merge, give_up](const NodeName& other, const PeerAnswer& answer) {
    cluster::v1::ListHereAnswer told;
    v1::ListConversationsResponse page;
    if (answer.code != 0 || !parse(answer.body, told) || !parse(told.page(), page)) {
      return give_up(other);
    }
    std::set<Shard> shards;
    for (const uint32_t shard : told.shards()) shards.insert({static_cast<uint16_t>(shard)});
    merge->add(std::move(page), shards);
  };
  const auto finish = [merge, all_answered, rpc, &node] {
    const auto missing = merge->missing(node.router->shard_count());
    // What is on its way arrives soon; where a node is away, it may not.
    if (!missing.empty() && *all_answered) {
      return rpc->finish_error(node.not_owner(missing.front()));
    }
    merge->add_unreachable(missing);
    rpc->finish_message(merge->finish());
  };
  ask_all(*node.router, std::move(questions),
          {on_answer, [give_up](const NodeName& other, PeerFailure) { give_up(other); }, finish});
}

/// Usage records of the events from the wanted place on.
Status add_records(Node& node, const Address& address, const State& state,
                   const UsageListing& wanted, v1::GetUsageResponse& response) {
  constexpr PageBounds k_events{500, 4U << 20};
  Version after = state.reset_version;
  uint64_t skip = 0;
  if (wanted.start) {
    after = {wanted.start->version.value - 1};
    skip = wanted.start->skip;
  }
  while (true) {
    auto events = node.store.read_events(address.key, address.shard, after, k_events);
    if (!events.ok()) return events.status();
    for (const Event& event : *events) {
      if (event.version > state.version) return absl::OkStatus();
      uint64_t place = 0;
      for (auto& record : usage_records(event)) {
        if (place++ < skip) continue;
        if (static_cast<size_t>(response.records_size()) == wanted.page_size) {
          response.set_next_page_token(
              make_page_token(UsagePosition{event.version, place - 1}, wanted.query));
          return absl::OkStatus();
        }
        *response.add_records() = std::move(record);
      }
      skip = 0;
      after = event.version;
    }
    if (events->empty()) return absl::OkStatus();
  }
}

}  // namespace

void ConversationService::batch_get(Call<v1::BatchGetConversationsRequest>* rpc) {
  if (auto error = validate(rpc->request, node_.environment.limits))
    return rpc->finish_error(*error);
  std::make_shared<BatchGet>(node_, rpc)->start();
}

void ConversationService::list(Call<v1::ListConversationsRequest>* rpc) {
  auto listing = translate(rpc->request, rpc->tenant, node_.environment.limits);
  if (auto* error = std::get_if<ApiError>(&listing)) return rpc->finish_error(*error);
  node_.blocking([this, rpc, wanted = std::get<ConversationListing>(std::move(listing))] {
    if (rpc->expired()) return rpc->finish_error(deadline_passed());
    auto page = list_page(node_, rpc->tenant, wanted);
    if (auto* error = std::get_if<ApiError>(&page)) return rpc->finish_error(*error);
    auto& here = std::get<ListedHere>(page);
    if (node_.stores_all()) return rpc->finish_message(here.page);
    if (rpc->peer() == nullptr) return list_others(node_, rpc, wanted, std::move(here));
    cluster::v1::ListHereAnswer answer;
    answer.set_page(here.page.SerializeAsString());
    for (const Shard shard : here.shards) answer.add_shards(shard.value);
    rpc->finish_message(answer);
  });
}

void ConversationService::get_usage(Call<v1::GetUsageRequest>* rpc) {
  if (forwarded(node_, "GetUsage", rpc)) return;
  auto listing = translate(rpc->request, rpc->tenant, node_.environment.limits);
  if (auto* error = std::get_if<ApiError>(&listing)) return rpc->finish_error(*error);
  const auto wanted = std::get<UsageListing>(std::move(listing));
  const Address address = node_.address(rpc->tenant, rpc->request.thread_id());
  struct Progress {
    State state;
    v1::GetUsageResponse response;
  };
  auto progress = std::make_shared<Progress>();
  auto on_render = [progress](const State& state, const RecentMessages&) {
    fill_totals(state, progress->response);
    progress->state.version = state.version;
    progress->state.reset_version = state.reset_version;
  };
  auto on_done = [this, rpc, wanted, address, progress](const Done& done) {
    if (done.receipt() == nullptr) return rpc->finish_error(done.error());
    if (wanted.page_size == 0) return rpc->finish_message(progress->response);
    node_.blocking([this, rpc, wanted, address, progress] {
      const Status status =
          add_records(node_, address, progress->state, wanted, progress->response);
      if (!status.ok()) return rpc->finish_error(node_.explain(status, address.key));
      rpc->finish_message(progress->response);
    });
  };
  node_.registry.dispatch(
      new LambdaCall(node_, address, Read{wanted.min_version}, on_done, on_render));
}

}  // namespace parley
