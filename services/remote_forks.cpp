#include "services/remote_forks.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "services/lambda_call.hpp"
#include "services/translate.hpp"
#include "storage/codec.hpp"

namespace parley {
namespace {

namespace pb = cluster::v1;

constexpr int64_t k_answer_micros = 5'000'000;
constexpr size_t k_id_bytes = sizeof(Id128::bytes);

std::optional<ForkPoint> fork_point_in(const pb::CreateForkRequest& request) {
  auto events = decode_feed(request.created());
  if (!events.ok()) return std::nullopt;
  auto* created = std::get_if<ConversationCreated>(&events->front().body);
  if (created == nullptr || !created->origin || !created->lineage.parent) return std::nullopt;
  return ForkPoint{.origin = *std::move(created->origin),
                   .parent = *std::move(created->lineage.parent),
                   .past = std::move(created->lineage.past),
                   .user = std::move(created->user),
                   .title = std::move(created->title),
                   .metadata = std::move(created->metadata),
                   .labels = std::move(created->labels),
                   .policy = created->policy};
}

}  // namespace

pb::CreateForkRequest create_fork_request(const std::string& thread, const std::string& title,
                                          ForkPoint point) {
  ConversationCreated created{.user = std::move(point.user),
                              .title = std::move(point.title),
                              .metadata = std::move(point.metadata),
                              .labels = std::move(point.labels),
                              .policy = point.policy,
                              .source_json = {},
                              .lineage = {},
                              .origin = std::move(point.origin)};
  created.lineage.history = point.parent.child_history;
  created.lineage.past = std::move(point.past);
  created.lineage.parent = std::move(point.parent);
  const Event event{.version = {1}, .time = {}, .dedup = {}, .body = std::move(created)};
  const Event* only = &event;
  pb::CreateForkRequest request;
  request.set_thread_id(thread);
  request.set_title(title);
  request.set_created(encode_feed({&only, 1}));
  return request;
}

void RemoteForks::serve(PeerCalls& peers) {
  peers.add<pb::CreateForkRequest>(k_create_fork, [this](auto* call) { create_fork(call); });
  peers.add<pb::ReleaseForkRequest>(k_release_fork, [this](auto* call) { release_fork(call); });
}

void RemoteForks::create_fork(UnaryCall<pb::CreateForkRequest>* call) {
  const Address address = node_.address(call->tenant, call->request.thread_id());
  if (refused(node_, address.shard, *call)) return;
  auto point = fork_point_in(call->request);
  const bool sound = point && std::ranges::all_of(point->past, [&](const HistorySpan& span) {
                       return span.shard.value < node_.environment.shard_count;
                     });
  if (!sound) return call->finish_error(make_error(ErrorId::invalid_request));
  Asked creation = fork_creation(call->request.title(), *std::move(point));
  auto shown = std::make_shared<v1::Conversation>();
  const auto on_render = [shown, thread = address.key.thread](const State& state,
                                                              const RecentMessages&) {
    fill_conversation(state, thread, *shown);
  };
  const auto on_done = [call, shown](const Done& done) {
    if (done.receipt() == nullptr) return call->finish_error(done.error());
    pb::CreateForkAnswer answer;
    answer.set_conversation(shown->SerializeAsString());
    call->finish_message(answer);
  };
  node_.registry.dispatch(new LambdaCall(node_, address,
                                         Mutate{std::move(creation.command), creation.meta, true},
                                         on_done, on_render));
}

void RemoteForks::release_fork(UnaryCall<pb::ReleaseForkRequest>* call) {
  const Address address = node_.address(call->tenant, call->request.thread_id());
  if (call->request.child_history().size() != k_id_bytes) {
    return call->finish_error(make_error(ErrorId::invalid_request));
  }
  const auto on_done = [call](const Done& done) {
    const bool told_before = done.was_refused && done.refused_for == Reason::fork_not_found;
    if (done.receipt() == nullptr && !told_before) return call->finish_error(done.error());
    call->finish_message(pb::ReleaseForkAnswer{});
  };
  const Id128 history = Id128::from_bytes(call->request.child_history());
  node_.registry.dispatch(
      new LambdaCall(node_, address, Mutate{ReleaseFork{history}, {}}, on_done));
}

void RemoteForks::let_go(const Address& parent, const Id128& child_history,
                         std::function<void(bool told)> done) {
  const NodeName* owner = node_.router->elsewhere(parent.shard);
  if (owner == nullptr) return done(false);  // it has just come here: tried again later
  pb::ReleaseForkRequest asked;
  asked.set_thread_id(parent.key.thread);
  asked.set_child_history(std::string(child_history.view()));
  node_.router->ask(*owner,
                    {k_release_fork, parent.key.tenant, asked.SerializeAsString(), k_answer_micros},
                    new AnswerWaiter(node_, *owner, [done = std::move(done)](const auto& answer) {
                      done(std::holds_alternative<std::string>(answer));
                    }));
}

}  // namespace parley
