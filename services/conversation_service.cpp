#include "services/conversation_service.hpp"

#include <utility>

#include "services/history_page.hpp"
#include "services/peer_calls.hpp"
#include "services/translate.hpp"
#include "services/validate.hpp"
#include "services/watch_stream.hpp"
#include "services/wire.hpp"

namespace parley {
namespace {

/// Calls of a method that may be taken before the next one is announced.
constexpr int k_waiting_hot = 64;
constexpr int k_waiting = 8;
/// How often a read begins anew because the conversation was cleared under it.
constexpr int k_read_tries = 5;

/// AppendMessages: the hottest call of all, so a class of its own without functions to allocate.
class AppendCall final : public Call {
 public:
  using Origin = UnaryCall<v1::AppendMessagesRequest>;

  AppendCall(Node& node, Origin* rpc, Asked asked) : node_(node), rpc_(rpc) {
    to = node.address(rpc->tenant, rpc->request.thread_id());
    what = Mutate{std::move(asked.command), asked.meta};
  }

  [[nodiscard]] bool expired() const override { return rpc_->expired(); }

  void answer(Outcome outcome, bool replayed) override {
    if (const auto* receipt = std::get_if<Receipt>(&outcome)) {
      node_.note_replay(*rpc_, replayed);
      // All its fields are set anew each time, and none of it is allocated.
      thread_local v1::AppendMessagesResponse response;
      fill_append_response(*receipt, response);
      rpc_->finish_message(response);
    } else if (const auto* refusal = std::get_if<Refusal>(&outcome)) {
      rpc_->finish_error(error_of(*refusal, to.key));
    } else {
      rpc_->finish_error(node_.explain(std::get<Failure>(outcome), to.key));
    }
    delete this;
  }

  void fail(Status status) override {
    rpc_->finish_error(error_of(status, to.key));
    delete this;
  }

 private:
  Node& node_;
  Origin* rpc_;
};

/// GetConversation and ListMessages: answered from the hot window on the spot where it reaches far
/// enough, else from storage once the conversation has said where its messages lie.
template <class Request>
class WindowCall final : public Call {
 public:
  using Origin = UnaryCall<Request>;
  /// The answer from what is in memory; or what is needed from storage, in `page`.
  using MakeAnswer = std::function<std::optional<std::string>(const State&, const RecentMessages&,
                                                              HistoryPage& page)>;

  WindowCall(Node& node, Origin* rpc, Read read, MakeAnswer make, int tries = k_read_tries)
      : node_(node), rpc_(rpc), make_(std::move(make)), tries_(tries) {
    to = node.address(rpc->tenant, rpc->request.thread_id());
    what = read;
  }

  [[nodiscard]] bool expired() const override { return rpc_->expired(); }

  void render(const State& state, const RecentMessages& recent) override {
    bytes_ = make_(state, recent, page_);
  }

  void answer(Outcome outcome, bool) override {
    if (const auto* refusal = std::get_if<Refusal>(&outcome)) {
      rpc_->finish_error(error_of(*refusal, to.key));
    } else if (const auto* failure = std::get_if<Failure>(&outcome)) {
      rpc_->finish_error(node_.explain(*failure, to.key));
    } else if (bytes_) {
      rpc_->finish(*std::move(bytes_));
    } else {
      const bool far = page_.reaches_elsewhere(node_);
      auto job = [&node = node_, rpc = rpc_, page = std::move(page_), make = std::move(make_),
                  read = std::get<Read>(what), tries = tries_] {
        auto answer = page.read(node);
        if (auto* bytes = std::get_if<std::string>(&answer)) return rpc->finish(std::move(*bytes));
        // A reset may have erased the messages meanwhile: then the conversation is asked again.
        if (tries > 1 && page.outdated(node)) {
          return node.registry.dispatch(new WindowCall(node, rpc, read, make, tries - 1));
        }
        rpc->finish_error(std::get<ApiError>(answer));
      };
      far ? node_.in_background(std::move(job)) : node_.blocking(std::move(job));
    }
    delete this;
  }

  void fail(Status status) override {
    rpc_->finish_error(error_of(status, to.key));
    delete this;
  }

 private:
  Node& node_;
  Origin* rpc_;
  MakeAnswer make_;
  const int tries_;
  std::optional<std::string> bytes_;
  HistoryPage page_;
};

}  // namespace

template <class Request>
void ConversationService::serve_method(CallQueue& queue, const char* name,
                                       typename Rpc<ConversationRpcs, Request>::Wait wait,
                                       void (ConversationService::*handler)(Call<Request>*),
                                       int waiting) {
  using Origin = Rpc<ConversationRpcs, Request>;
  using Method = typename Origin::Method;
  auto method = std::make_shared<Method>(Method{
      rpcs_, wait, [this, handler](Call<Request>* rpc) { (this->*handler)(rpc); }, counts_[name],
      node_.traffic, node_.environment.limits.request_bytes, node_.router != nullptr});
  methods_.push_back(method);
  peers_.add<Request>(name, method->handle);
  for (int i = 0; i < waiting; ++i) Origin::await(*method, queue);
}

void ConversationService::serve(CallQueue& queue) {
  using Rpcs = ConversationRpcs;
  using Me = ConversationService;
  const auto hot = k_waiting_hot;
  serve_method(queue, "AppendMessages", &Rpcs::RequestAppendMessages, &Me::append, hot);
  serve_method(queue, "GetConversation", &Rpcs::RequestGetConversation, &Me::get, hot);
  serve_method(queue, "ListMessages", &Rpcs::RequestListMessages, &Me::list_messages, hot);
  const auto few = k_waiting;
  serve_method(queue, "CreateConversation", &Rpcs::RequestCreateConversation, &Me::create, few);
  serve_method(queue, "UpdateConversation", &Rpcs::RequestUpdateConversation, &Me::update, few);
  serve_method(queue, "DeleteConversation", &Rpcs::RequestDeleteConversation, &Me::remove, few);
  serve_method(queue, "ResetConversation", &Rpcs::RequestResetConversation, &Me::reset, few);
  serve_method(queue, "ForkConversation", &Rpcs::RequestForkConversation, &Me::fork, few);
  serve_method(queue, "RecordUsage", &Rpcs::RequestRecordUsage, &Me::record_usage, few);
  serve_method(queue, "BatchGetConversations", &Rpcs::RequestBatchGetConversations, &Me::batch_get,
               few);
  serve_method(queue, "ListConversations", &Rpcs::RequestListConversations, &Me::list, few);
  serve_method(queue, "GetUsage", &Rpcs::RequestGetUsage, &Me::get_usage, few);
  peers_.add<v1::ListConversationsRequest>("ListHere", [this](auto* rpc) { list(rpc); });
  for (int i = 0; i < few; ++i) WatchStream::await(node_, rpcs_, queue);
}

std::map<std::string, int64_t> ConversationService::call_counts() const {
  return {counts_.begin(), counts_.end()};
}

void ConversationService::append(Call<v1::AppendMessagesRequest>* rpc) {
  if (forwarded(node_, "AppendMessages", rpc)) return;
  auto asked = translate(rpc->request, node_.environment.limits);
  if (auto* error = std::get_if<ApiError>(&asked)) return rpc->finish_error(*error);
  // Refused before the conversation is touched: it would lose what it holds in memory.
  if (node_.disk_full()) return rpc->finish_error(make_error(ErrorId::disk_full));
  node_.appended_messages += rpc->request.messages_size();
  node_.registry.dispatch(new AppendCall(node_, rpc, std::get<Asked>(std::move(asked))));
}

void ConversationService::get(Call<v1::GetConversationRequest>* rpc) {
  if (forwarded(node_, "GetConversation", rpc)) return;
  if (auto error = validate(rpc->request, node_.environment.limits))
    return rpc->finish_error(*error);
  const Read read{{static_cast<uint64_t>(rpc->request.min_version())}};
  const auto make = [this, rpc](const State& state, const RecentMessages& recent,
                                HistoryPage& page) -> std::optional<std::string> {
    const auto& request = rpc->request;
    const auto wanted = static_cast<size_t>(request.message_limit());
    if (request.has_as_of_version()) {
      page =
          HistoryPage::of_version(node_.address(rpc->tenant, request.thread_id()), state, request);
      return std::nullopt;
    }
    if (wanted <= recent.size() || state.last_sequence.value <= recent.size()) {
      return wire_get_conversation_response(
          state, request.thread_id(), newest_within(recent, wanted, node_.environment.limits));
    }
    page = HistoryPage::of_newest(node_.address(rpc->tenant, request.thread_id()), state, wanted);
    return std::nullopt;
  };
  node_.registry.dispatch(new WindowCall<v1::GetConversationRequest>(node_, rpc, read, make));
}

void ConversationService::list_messages(Call<v1::ListMessagesRequest>* rpc) {
  if (forwarded(node_, "ListMessages", rpc)) return;
  auto listing = translate(rpc->request, rpc->tenant, node_.environment.limits);
  if (auto* error = std::get_if<ApiError>(&listing)) return rpc->finish_error(*error);
  auto wanted = std::get<MessageListing>(std::move(listing));
  const Read read{wanted.min_version};
  const auto make = [this, rpc, wanted](const State& state, const RecentMessages& recent,
                                        HistoryPage& page) -> std::optional<std::string> {
    auto answer = list_from_window(wanted, state, recent, node_.environment.limits);
    if (!answer) {
      page = HistoryPage::of_listing(node_.address(rpc->tenant, rpc->request.thread_id()), state,
                                     wanted);
    }
    return answer;
  };
  node_.registry.dispatch(new WindowCall<v1::ListMessagesRequest>(node_, rpc, read, make));
}

}  // namespace parley
