#include "services/remote_reads.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

#include "services/shards_here.hpp"
#include "storage/codec.hpp"

namespace parley {
namespace {

namespace pb = cluster::v1;

constexpr int64_t k_answer_micros = 5'000'000;
constexpr size_t k_id_bytes = sizeof(Id128::bytes);
constexpr uint32_t k_list_page = 500;

/// Waits, blocking, for the answer to one question.
class BlockingWaiter final : public PeerWaiter {
 public:
  using Told = std::variant<PeerAnswer, PeerFailure>;

  void answered(PeerAnswer answer) override { tell(std::move(answer)); }
  void failed(PeerFailure failure) override { tell(failure); }
  /// The link tells within the question's time.
  Told wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return told_.has_value(); });
    return *std::move(told_);
  }

 private:
  void tell(Told told) {
    // Why all under the lock: whoever waits takes this away once it sees the answer.
    const std::lock_guard lock(mutex_);
    told_ = std::move(told);
    changed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Told> told_;
};

Status unreadable() { return absl::InternalError("another node's answer cannot be read"); }

Result<std::vector<Message>> messages_in(const std::string& answer, bool newest_first) {
  pb::ReadHistoryAnswer told;
  if (!told.ParseFromString(answer)) return unreadable();
  auto messages = decode_messages(told.messages(), {told.last()});
  if (messages.ok() && newest_first) std::reverse(messages->begin(), messages->end());
  return messages;
}

}  // namespace

void RemoteReads::serve(PeerCalls& peers) {
  peers.add<pb::ReadHistoryRequest>(k_read_history, [this](auto* call) { read_history(call); });
  peers.add<pb::ReadStateRequest>(k_read_state, [this](auto* call) { read_state_for(call); });
  peers.add<pb::ListThreadsRequest>(k_list_threads, [this](auto* call) { list_threads_for(call); });
}

Result<std::string> RemoteReads::ask(const NodeName& owner, const char* method,
                                     const std::string& tenant, std::string body) {
  BlockingWaiter waiter;
  node_.router->ask(owner, {method, tenant, std::move(body), k_answer_micros}, &waiter);
  auto told = waiter.wait();
  if (auto* answer = std::get_if<PeerAnswer>(&told)) {
    if (answer->code == 0) return std::move(answer->body);
    const ApiError error = error_of(*answer);
    node_.learn(error);
    if (error.code == absl::StatusCode::kOk) return unreadable();
    if (is_not_owner(error)) return absl::AbortedError(error.message);
    return Status(error.code, error.message);
  }
  return absl::UnavailableError(
      absl::StrCat("node ", owner.value, " does not answer, which has some of it; try again"));
}

bool RemoteReads::elsewhere(Shard shard) const { return node_.router->elsewhere(shard) != nullptr; }

Result<std::vector<Message>> RemoteReads::read(const HistorySpan& part, bool newest_first,
                                               PageBounds bounds) {
  const NodeName* owner = node_.router->elsewhere(part.shard);
  if (owner == nullptr) return absl::AbortedError("the shard has just come here; try again");
  pb::ReadHistoryRequest asked;
  asked.set_shard(part.shard.value);
  asked.set_history(std::string(part.history.view()));
  asked.set_first(part.first.value);
  asked.set_last(part.last.value);
  asked.set_newest_first(newest_first);
  asked.set_count_max(bounds.count_max);
  asked.set_bytes_max(bounds.bytes_max);
  const auto answer = ask(*owner, k_read_history, {}, asked.SerializeAsString());
  if (!answer.ok()) return answer.status();
  auto messages = messages_in(*answer, newest_first);
  if (!messages.ok()) return messages;
  const bool asked_for = std::ranges::all_of(*messages, [&](const Message& message) {
    return part.first <= message.sequence && message.sequence <= part.last;
  });
  const Sequence begin = newest_first ? part.last : part.first;
  if (!asked_for || messages->front().sequence != begin) return unreadable();
  return messages;
}

void RemoteReads::read_history(UnaryCall<pb::ReadHistoryRequest>* call) {
  const auto& asked = call->request;
  const uint32_t shard_count = node_.environment.shard_count;
  const bool sound = asked.shard() < shard_count && asked.history().size() == k_id_bytes &&
                     asked.first() > 0 && asked.first() <= asked.last() && asked.count_max() > 0;
  if (!sound) return call->finish_error(make_error(ErrorId::invalid_request));
  const Shard shard{static_cast<uint16_t>(asked.shard())};
  if (refused(node_, shard, *call)) return;
  node_.blocking([this, call, shard] {
    const auto& wanted = call->request;
    const Sequence first{wanted.first()};
    const Sequence last{wanted.last()};
    const HistorySpan part{shard, Id128::from_bytes(wanted.history()), first, last};
    const bool newest_first = wanted.newest_first();
    auto messages =
        node_.store.read_messages({{part}, first, last, newest_first},
                                  {static_cast<size_t>(wanted.count_max()),
                                   std::min<size_t>(static_cast<size_t>(wanted.bytes_max()),
                                                    node_.environment.limits.response_bytes)});
    if (absl::IsAborted(messages.status())) return call->finish_error(node_.not_owner(shard));
    if (!messages.ok()) return call->finish_error(error_of(messages.status()));
    if (messages->empty()) return call->finish_error(make_error(ErrorId::internal));
    if (newest_first) std::reverse(messages->begin(), messages->end());
    std::vector<const Message*> row;
    for (const Message& message : *messages) row.push_back(&message);
    pb::ReadHistoryAnswer answer;
    answer.set_messages(encode_messages(row));
    answer.set_last(messages->back().sequence.value);
    call->finish_message(answer);
  });
}

Result<State> RemoteReads::read_state(const Address& address) {
  const NodeName* owner = node_.elsewhere(address);
  if (owner == nullptr) return node_.store.read_state(address.key, address.shard);
  pb::ReadStateRequest asked;
  asked.set_thread_id(address.key.thread);
  const auto answer = ask(*owner, k_read_state, address.key.tenant, asked.SerializeAsString());
  if (!answer.ok()) return answer.status();
  pb::ReadStateAnswer told;
  if (!told.ParseFromString(*answer)) return unreadable();
  return decode_state(told.state());
}

void RemoteReads::read_state_for(UnaryCall<pb::ReadStateRequest>* call) {
  const Address address = node_.address(call->tenant, call->request.thread_id());
  if (refused(node_, address.shard, *call)) return;
  node_.blocking([this, call, address] {
    auto state = node_.store.read_state(address.key, address.shard);
    const bool missing = absl::IsNotFound(state.status()) || (state.ok() && !state->exists);
    if (missing) {
      return call->finish_error(
          error_of(Refusal{Reason::conversation_not_found, {}, {}}, address.key));
    }
    if (!state.ok()) return call->finish_error(node_.explain(state.status(), address.key));
    state->dedup.clear();
    pb::ReadStateAnswer answer;
    answer.set_state(encode_state(*state));
    call->finish_message(answer);
  });
}

Result<RemoteReads::Threads> RemoteReads::list_threads(const std::string& tenant,
                                                       const std::string& user) {
  Threads found;
  for (const NodeName& node : node_.router->others()) {
    if (Status status = list_threads_of(node, tenant, user, found); !status.ok()) return status;
  }
  return found;
}

Status RemoteReads::list_threads_of(const NodeName& node, const std::string& tenant,
                                    const std::string& user, Threads& found) {
  pb::ListThreadsRequest asked;
  asked.set_user_id(user);
  asked.set_count_max(k_list_page);
  std::set<Shard> shards_here;
  bool first_page = true;
  while (true) {
    const auto answer = ask(node, k_list_threads, tenant, asked.SerializeAsString());
    if (!answer.ok()) return answer.status();
    pb::ListThreadsAnswer told;
    if (!told.ParseFromString(*answer)) return unreadable();
    found.ids.insert(found.ids.end(), told.thread_ids().begin(), told.thread_ids().end());
    found.hidden = found.hidden || told.hidden();
    std::set<Shard> shards;
    for (const uint32_t shard : told.shards()) shards.insert({static_cast<uint16_t>(shard)});
    // What passed on between two pages is not whole.
    if (!first_page) {
      std::erase_if(shards_here, [&](Shard shard) { return !shards.contains(shard); });
    } else {
      shards_here = std::move(shards);
    }
    first_page = false;
    if (told.thread_ids_size() < static_cast<int>(k_list_page)) {
      found.shards.merge(shards_here);
      return absl::OkStatus();
    }
    asked.set_after_thread_id(told.thread_ids(told.thread_ids_size() - 1));
    asked.set_after_activity_us(told.last_activity_us());
  }
}

void RemoteReads::list_threads_for(UnaryCall<pb::ListThreadsRequest>* call) {
  if (call->request.count_max() == 0) {
    return call->finish_error(make_error(ErrorId::invalid_request));
  }
  node_.blocking([this, call] {
    const auto& asked = call->request;
    ListQuery query{
        .tenant = call->tenant, .user = asked.user_id(), .count_max = asked.count_max()};
    if (!asked.after_thread_id().empty()) {
      query.after = {{asked.after_activity_us()}, asked.after_thread_id()};
    }
    const ShardsHere here(node_);
    const auto page = node_.store.list(query);
    if (!page.ok()) return call->finish_error(error_of(page.status()));
    pb::ListThreadsAnswer answer;
    for (const auto& entry : page->conversations) {
      answer.add_thread_ids(entry.thread);
      answer.set_last_activity_us(entry.last_activity.micros);
    }
    answer.set_hidden(!page->unreadable.empty());
    for (const Shard shard : here.still()) answer.add_shards(shard.value);
    call->finish_message(answer);
  });
}

}  // namespace parley
