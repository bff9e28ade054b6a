#include <functional>
#include <memory>
#include <utility>

#include "conversation/fork.hpp"
#include "services/conversation_service.hpp"
#include "services/lambda_call.hpp"
#include "services/peer_calls.hpp"
#include "services/remote_forks.hpp"
#include "services/translate.hpp"

namespace parley {
namespace {

/// A change whose answer shows the conversation as it was right after it.
///
/// The first time, the conversation renders itself on the spot; a repetition is answered from
/// storage, as of the version that the first answer had.
template <class Request>
class ShowingChange {
 public:
  using Origin = UnaryCall<Request>;
  using Finish = std::function<void(const Receipt&, v1::Conversation)>;

  static void start(Node& node, Origin* rpc, Address address, Asked asked, Finish finish) {
    auto shown = std::make_shared<v1::Conversation>();
    auto on_render = [shown, thread = address.key.thread](const State& state,
                                                          const RecentMessages&) {
      shown->Clear();
      fill_conversation(state, thread, *shown);
    };
    auto on_done = [&node, rpc, address, shown, finish = std::move(finish)](Done done) {
      const Receipt* receipt = done.receipt();
      if (receipt == nullptr) return rpc->finish_error(done.error());
      node.note_replay(*rpc, done.replayed);
      if (!done.replayed) return finish(*receipt, std::move(*shown));
      node.blocking([&node, rpc, address, receipt = *receipt, finish] {
        auto state = node.store.read_state_at(address.key, address.shard, receipt.version);
        if (!state.ok()) return rpc->finish_error(node.explain(state.status(), address.key));
        v1::Conversation then;
        fill_conversation(*state, address.key.thread, then);
        finish(receipt, std::move(then));
      });
    };
    node.registry.dispatch(
        new LambdaCall(node, std::move(address), Mutate{std::move(asked.command), asked.meta, true},
                       std::move(on_done), std::move(on_render), [rpc] { return rpc->expired(); }));
  }
};

/// One ForkConversation: the parent notes the fork, the child is created from what it noted, and
/// the parent is asked once more whether it still keeps the child's past. Each step may be
/// repeated; what a crash leaves between them costs only space, until the same request is repeated.
///
/// Why the last step: another try of the same request may have made the child, and its deletion may
/// have told the parent, before this try's creation came through. A request without an id has no
/// other try, and once its child is made it must not be begun anew.
class Forking : public std::enable_shared_from_this<Forking> {
 public:
  using Origin = UnaryCall<v1::ForkConversationRequest>;

  Forking(Node& node, Origin* rpc) : node_(node), rpc_(rpc) {}

  void start() {
    parent_ = node_.address(rpc_->tenant, rpc_->request.thread_id());
    child_ = node_.address(rpc_->tenant, name_of_child());
    auto asked = translate(rpc_->request, child_.key.thread, node_.environment.limits);
    if (auto* error = std::get_if<ApiError>(&asked)) return rpc_->finish_error(*error);
    auto& note = std::get<Asked>(asked);
    ask(parent_, Mutate{std::move(note.command), note.meta, true}, &Forking::on_noted,
        [self = shared_from_this()](const State& state, const RecentMessages&) {
          self->parent_state_ = state;
        });
  }

 private:
  using Step = void (Forking::*)(const Done&);

  /// Where nobody says what it is called, it lies with its parent, wherever that is moved.
  std::string name_of_child() {
    const auto fresh = [&] { return fork_thread(rpc_->request, node_.environment.ids.fresh()); };
    std::string name = fresh();
    const bool any_name =
        rpc_->request.new_thread_id().empty() && rpc_->request.request_id().empty();
    const size_t tries = any_name && node_.router != nullptr ? k_names_tried_max : 0;
    for (size_t i = 0; i < tries && node_.address(rpc_->tenant, name).shard != parent_.shard; ++i) {
      name = fresh();
    }
    return name;
  }

  void ask(const Address& whom, Call::Kind what, Step next, LambdaCall::OnRender on_render = {}) {
    auto on_done = [self = shared_from_this(), next](const Done& done) { ((*self).*next)(done); };
    node_.registry.dispatch(
        new LambdaCall(node_, whom, std::move(what), std::move(on_done), std::move(on_render)));
  }

  void on_noted(const Done& done) {
    if (done.receipt() == nullptr) return rpc_->finish_error(done.error());
    node_.note_replay(*rpc_, done.replayed);
    noted_ = *done.receipt();
    if (!done.replayed) return create();
    ask(parent_, Read{}, &Forking::on_parent_read,
        [self = shared_from_this()](const State& state, const RecentMessages&) {
          self->parent_state_ = state;
        });
  }

  void on_parent_read(const Done& done) {
    if (done.receipt() == nullptr) return rpc_->finish_error(done.error());
    create();
  }

  void create() {
    auto point = fork_point(std::exchange(parent_state_, {}), parent_.key.thread, parent_.shard,
                            noted_.fork);
    if (!point) {
      // The fork was made by an earlier try of this request, and erased since.
      return rpc_->finish_error(
          error_of(Refusal{Reason::conversation_not_found, {}, {}}, child_.key));
    }
    if (const NodeName* owner = node_.elsewhere(child_)) {
      return create_elsewhere(*owner, *std::move(point));
    }
    Asked creation = fork_creation(rpc_->request.title(), *std::move(point));
    ask(child_, Mutate{std::move(creation.command), creation.meta, true}, &Forking::on_created,
        [self = shared_from_this()](const State& state, const RecentMessages&) {
          fill_conversation(state, self->child_.key.thread,
                            *self->response_.mutable_conversation());
        });
  }

  void create_elsewhere(const NodeName& owner, ForkPoint point) {
    const auto asked =
        create_fork_request(child_.key.thread, rpc_->request.title(), std::move(point));
    ask_elsewhere(owner, RemoteForks::k_create_fork, asked.SerializeAsString(),
                  &Forking::on_created_elsewhere);
  }

  void on_created_elsewhere(const Checked<std::string>& body) {
    if (const auto* error = std::get_if<ApiError>(&body)) return on_not_created(*error);
    cluster::v1::CreateForkAnswer answer;
    auto& made = *response_.mutable_conversation();
    if (!answer.ParseFromString(std::get<std::string>(body)) ||
        !made.ParseFromString(answer.conversation())) {
      return rpc_->finish_error(make_error(ErrorId::internal));
    }
    created_ = {static_cast<uint64_t>(made.version())};
    on_made();
  }

  void on_created(const Done& done) {
    if (done.receipt() == nullptr) return on_not_created(done.error());
    created_ = done.receipt()->version;
    on_made();
  }

  void on_made() {
    if (rpc_->request.request_id().empty()) return finish();
    check_parent();
  }

  void on_not_created(const ApiError& why) {
    refusal_ = why;
    // Only where another conversation has the name: a fork that is over may have forks of its own,
    // which still show what the parent keeps.
    if (why.reason == error_row(ErrorId::conversation_exists).reason) return release_note();
    const bool not_asked = is_not_owner(why) ||
                           why.reason == error_row(ErrorId::node_unreachable).reason ||
                           why.reason == error_row(ErrorId::overloaded).reason;
    // With a request id the same note serves the next try; without, nobody would need it.
    if (not_asked && rpc_->request.request_id().empty()) return release_note();
    if (not_asked && !is_not_owner(why)) {
      refusal_ = make_error(ErrorId::outcome_unknown, why.metadata);
    }
    rpc_->finish_error(refusal_);
  }

  void release_note() {
    if (node_.elsewhere(parent_) == nullptr) {
      return ask(parent_, Mutate{ReleaseFork{noted_.fork}, {}}, &Forking::on_let_go);
    }
    node_.environment.parents_elsewhere->let_go(
        parent_, noted_.fork,
        [self = shared_from_this()](bool) { self->rpc_->finish_error(self->refusal_); });
  }

  void check_parent() {
    ask(parent_, Read{}, &Forking::on_checked,
        [self = shared_from_this()](const State& state, const RecentMessages&) {
          self->kept_ = state.lineage_of_child(self->noted_.fork) != nullptr;
        });
  }

  void on_checked(const Done& done) {
    // A parent that is deleted meanwhile keeps its children's past without showing itself.
    const bool parent_gone = done.was_refused && done.refused_for == Reason::conversation_not_found;
    if (done.receipt() == nullptr && !parent_gone) return rpc_->finish_error(done.error());
    if (!kept_ && !parent_gone) {
      refusal_ = error_of(Refusal{Reason::fork_not_found, {}, {}}, parent_.key);
      return undo_creation();
    }
    finish();
  }

  void finish() {
    response_.set_parent_version(static_cast<int64_t>(noted_.version.value));
    rpc_->finish_message(response_);
  }

  void undo_creation() {
    const NodeName* owner = node_.elsewhere(child_);
    if (owner == nullptr) {
      return ask(child_, Mutate{DeleteConversation{}, {{}, 0, created_}}, &Forking::on_let_go);
    }
    v1::DeleteConversationRequest request;
    request.set_thread_id(child_.key.thread);
    request.set_expected_version(static_cast<int64_t>(created_.value));
    ask_elsewhere(*owner, "DeleteConversation", request.SerializeAsString(), &Forking::on_let_go);
  }

  /// Whether it was let go of or not: the next try, or the next start, does what is left.
  template <class Answer>
  void on_let_go(const Answer&) {
    rpc_->finish_error(refusal_);
  }

  void ask_elsewhere(const NodeName& owner, const std::string& method, std::string body,
                     void (Forking::*next)(const Checked<std::string>&)) {
    const auto tell = [self = shared_from_this(), next](const Checked<std::string>& answer) {
      ((*self).*next)(answer);
    };
    node_.router->ask(owner, handed_on(method, rpc_->tenant, std::move(body), *rpc_),
                      new AnswerWaiter(node_, owner, tell));
  }

  static constexpr size_t k_names_tried_max = 4096;

  Node& node_;
  Origin* rpc_;
  Address parent_;
  Address child_;
  Receipt noted_;
  Version created_;  ///< the child's, when it was new
  bool kept_ = false;
  State parent_state_;  ///< as of the note, or later
  ApiError refusal_;
  v1::ForkConversationResponse response_;
};

}  // namespace

void ConversationService::create(Call<v1::CreateConversationRequest>* rpc) {
  auto asked = translate(rpc->request, node_.environment.limits);
  if (auto* error = std::get_if<ApiError>(&asked)) return rpc->finish_error(*error);
  const std::string thread = create_thread(rpc->request, node_.environment.ids.fresh());
  if (node_.router != nullptr) {
    // With the id it is the same request wherever it is carried out.
    rpc->request.set_thread_id(thread);
    if (forwarded(node_, "CreateConversation", rpc)) return;
    asked = translate(rpc->request, node_.environment.limits);
  }
  ShowingChange<v1::CreateConversationRequest>::start(
      node_, rpc, node_.address(rpc->tenant, thread), std::get<Asked>(std::move(asked)),
      [rpc](const Receipt& receipt, v1::Conversation shown) {
        v1::CreateConversationResponse response;
        *response.mutable_conversation() = std::move(shown);
        response.set_created(receipt.created);
        rpc->finish_message(response);
      });
}

void ConversationService::update(Call<v1::UpdateConversationRequest>* rpc) {
  if (forwarded(node_, "UpdateConversation", rpc)) return;
  auto asked = translate(rpc->request, node_.environment.limits);
  if (auto* error = std::get_if<ApiError>(&asked)) return rpc->finish_error(*error);
  ShowingChange<v1::UpdateConversationRequest>::start(
      node_, rpc, node_.address(rpc->tenant, rpc->request.thread_id()),
      std::get<Asked>(std::move(asked)), [rpc](const Receipt&, v1::Conversation shown) {
        v1::UpdateConversationResponse response;
        *response.mutable_conversation() = std::move(shown);
        rpc->finish_message(response);
      });
}

void ConversationService::reset(Call<v1::ResetConversationRequest>* rpc) {
  if (forwarded(node_, "ResetConversation", rpc)) return;
  auto asked = translate(rpc->request, node_.environment.limits);
  if (auto* error = std::get_if<ApiError>(&asked)) return rpc->finish_error(*error);
  ShowingChange<v1::ResetConversationRequest>::start(
      node_, rpc, node_.address(rpc->tenant, rpc->request.thread_id()),
      std::get<Asked>(std::move(asked)), [rpc](const Receipt&, v1::Conversation shown) {
        v1::ResetConversationResponse response;
        *response.mutable_conversation() = std::move(shown);
        rpc->finish_message(response);
      });
}

void ConversationService::remove(Call<v1::DeleteConversationRequest>* rpc) {
  if (forwarded(node_, "DeleteConversation", rpc)) return;
  auto asked = translate(rpc->request, node_.environment.limits);
  if (auto* error = std::get_if<ApiError>(&asked)) return rpc->finish_error(*error);
  const Address address = node_.address(rpc->tenant, rpc->request.thread_id());
  auto& deletion = std::get<Asked>(asked);
  auto on_done = [this, rpc, address](const Done& done) {
    v1::DeleteConversationResponse response;
    if (const Receipt* receipt = done.receipt()) {
      node_.note_replay(*rpc, done.replayed);
      response.set_version(static_cast<int64_t>(receipt->version.value));
      return rpc->finish_message(response);
    }
    const bool damaged = done.error().code == absl::StatusCode::kDataLoss;
    if (!damaged || node_.shares_journal()) return rpc->finish_error(done.error());
    // What is damaged cannot be read, but it can be erased.
    node_.blocking([this, rpc, address, response] {
      const Status status = node_.local->erase(address.key, address.shard);
      if (!status.ok()) return rpc->finish_error(node_.explain(status, address.key));
      // No move waits for this, which goes past the conversation: what moves now may be without it.
      if (node_.environment.use(address.shard) != ShardUse::served) {
        return rpc->finish_error(error_of(Failure::unknown, address.key));
      }
      rpc->finish_message(response);
    });
  };
  node_.registry.dispatch(new LambdaCall(node_, address,
                                         Mutate{std::move(deletion.command), deletion.meta},
                                         on_done, {}, [rpc] { return rpc->expired(); }));
}

void ConversationService::fork(Call<v1::ForkConversationRequest>* rpc) {
  if (forwarded(node_, "ForkConversation", rpc)) return;
  std::make_shared<Forking>(node_, rpc)->start();
}

void ConversationService::record_usage(Call<v1::RecordUsageRequest>* rpc) {
  if (forwarded(node_, "RecordUsage", rpc)) return;
  auto asked = translate(rpc->request, node_.environment.limits);
  if (auto* error = std::get_if<ApiError>(&asked)) return rpc->finish_error(*error);
  auto& recording = std::get<Asked>(asked);
  auto on_done = [this, rpc](const Done& done) {
    if (done.receipt() == nullptr) return rpc->finish_error(done.error());
    node_.note_replay(*rpc, done.replayed);
    v1::RecordUsageResponse response;
    response.set_version(static_cast<int64_t>(done.receipt()->version.value));
    rpc->finish_message(response);
  };
  node_.registry.dispatch(new LambdaCall(node_,
                                         node_.address(rpc->tenant, rpc->request.thread_id()),
                                         Mutate{std::move(recording.command), recording.meta},
                                         on_done, {}, [rpc] { return rpc->expired(); }));
}

}  // namespace parley
