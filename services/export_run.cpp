#include "services/export_run.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <thread>
#include <utility>

#include "absl/strings/str_join.h"

#include "services/jsonl.hpp"
#include "services/remote_reads.hpp"
#include "services/shards_here.hpp"
#include "services/translate.hpp"
#include "services/wire.hpp"

namespace parley {
namespace {

constexpr size_t k_list_page = 500;
constexpr int k_list_tries = 100;
constexpr auto k_list_again_after = std::chrono::milliseconds(50);
constexpr size_t k_jsonl_bytes_max = 64U << 20;
/// Damaged conversations that an error names; it has to stay small.
constexpr size_t k_named_max = 20;

}  // namespace

ExportRun::ExportRun(Node& node, std::string tenant, const v1::ExportConversationsRequest& request,
                     Send send)
    : node_(node), tenant_(std::move(tenant)), request_(request), send_(std::move(send)) {}

std::optional<ApiError> ExportRun::run() {
  if (request_.thread_ids().empty()) return export_all();
  for (const auto& thread : request_.thread_ids()) {
    if (auto error = export_one(thread, true)) return error;
    if (!listening_) break;
  }
  return std::nullopt;
}

/// While a shard passes on nobody lists it, for milliseconds as a rule.
ExportRun::Error ExportRun::list_all(std::vector<std::string>& threads) {
  for (int tries = 0; tries < k_list_tries; ++tries) {
    bool whole = false;
    threads.clear();
    if (auto error = list_once(threads, whole)) return error;
    if (whole) return std::nullopt;
    std::this_thread::sleep_for(k_list_again_after);
  }
  return error_of(absl::UnavailableError("shards are moving; export again"));
}

ExportRun::Error ExportRun::list_once(std::vector<std::string>& threads, bool& whole) {
  ListQuery query{.tenant = tenant_, .user = request_.user_id(), .count_max = k_list_page};
  const ShardsHere here(node_);
  while (true) {
    auto page = node_.store.list(query);
    if (!page.ok()) return error_of(page.status());
    if (!page->unreachable.empty()) {
      return error_of(absl::UnavailableError("a database does not answer; export again later"));
    }
    for (auto& entry : page->conversations) threads.push_back(entry.thread);
    hidden_ = hidden_ || !page->unreadable.empty();
    if (page->conversations.size() < k_list_page) break;
    const auto& last = page->conversations.back();
    query.after = {last.last_activity, last.thread};
  }
  whole = true;
  if (node_.stores_all()) return std::nullopt;
  auto others = node_.remote_reads->list_threads(tenant_, request_.user_id());
  if (!others.ok()) return error_of(others.status());
  std::move(others->ids.begin(), others->ids.end(), std::back_inserter(threads));
  hidden_ = hidden_ || others->hidden;
  others->shards.merge(here.still());
  whole = others->shards.size() == node_.router->shard_count();
  return std::nullopt;
}

ExportRun::Error ExportRun::export_all() {
  // Why the list is taken first: activity moves conversations within it while the export runs.
  std::vector<std::string> threads;
  if (auto error = list_all(threads)) return error;
  std::sort(threads.begin(), threads.end());
  threads.erase(std::unique(threads.begin(), threads.end()), threads.end());
  for (const auto& thread : threads) {
    if (auto error = export_one(thread, false)) {
      if (error->code != absl::StatusCode::kDataLoss) return error;
      damaged_.push_back(thread);
    }
    if (!listening_) return std::nullopt;
  }
  return missing();
}

/// Everything else was sent before it is said what is missing.
ExportRun::Error ExportRun::missing() const {
  if (damaged_.empty() && !hidden_) return std::nullopt;
  std::vector<std::string> named(
      damaged_.begin(),
      damaged_.begin() + static_cast<ptrdiff_t>(std::min(damaged_.size(), k_named_max)));
  return make_error(ErrorId::export_incomplete, {{"count", std::to_string(damaged_.size())},
                                                 {"thread_ids", absl::StrJoin(named, ",")},
                                                 {"more", hidden_ ? "true" : "false"}});
}

ExportRun::Error ExportRun::export_one(const std::string& thread, bool must_exist) {
  const Address address = node_.address(tenant_, thread);
  auto state = read_state(address);
  const bool missing = (state.ok() && !state->exists) || absl::IsNotFound(state.status());
  if (missing && !must_exist) return std::nullopt;
  if (missing) return error_of(Refusal{Reason::conversation_not_found, {}, {}}, address.key);
  if (!state.ok()) return error_of(state.status(), address.key);
  if (!request_.user_id().empty() && state->user != request_.user_id()) return std::nullopt;
  const bool jsonl = request_.form() == v1::TRANSFER_FORM_JSONL;
  auto error = jsonl ? send_jsonl(address, *state) : send_full(address, *state);
  if (!error || error->code != absl::StatusCode::kDataLoss) return error;
  // A reset or deletion may have erased messages while they were read: then it is exported as it is
  // now.
  const auto now = read_state(address);
  const bool changed = absl::IsNotFound(now.status()) ||
                       (now.ok() && now->current.history != state->current.history);
  return changed ? export_one(thread, must_exist) : error;
}

Result<State> ExportRun::read_state(const Address& address) const {
  const bool here = node_.stores_all() || node_.elsewhere(address) == nullptr;
  return here ? node_.store.read_state(address.key, address.shard)
              : node_.remote_reads->read_state(address);
}

ExportRun::Error ExportRun::for_messages(
    const Address& address, const State& state,
    const std::function<Error(std::vector<v1::Message>&)>& each) {
  const Limits& limits = node_.environment.limits;
  for (Sequence from{1}; from <= state.last_sequence && listening_;) {
    auto messages =
        node_.store.read_messages({state.spans(address.shard), from, state.last_sequence, false},
                                  {limits.messages_per_append, limits.response_bytes});
    if (!messages.ok()) return error_of(messages.status(), address.key);
    if (messages->empty()) break;
    std::vector<v1::Message> decoded;
    for (const Message& message : *messages) {
      std::string bytes;
      append_wire_message(message, history_of(state, message.sequence), bytes);
      if (!decoded.emplace_back().ParseFromString(bytes)) {
        return error_of(absl::DataLossError("a stored message does not parse"), address.key);
      }
    }
    from = {messages->back().sequence.value + 1};
    if (auto error = each(decoded)) return error;
  }
  return std::nullopt;
}

ExportRun::Error ExportRun::send_jsonl(const Address& address, const State& state) {
  v1::Conversation header;
  fill_conversation(state, address.key.thread, header);
  JsonlLine line(header);
  auto error = for_messages(address, state, [&](std::vector<v1::Message>& messages) -> Error {
    for (const auto& message : messages) line.add(message);
    if (line.bytes() > k_jsonl_bytes_max) {
      return invalid_field("form", "conversation " + address.key.thread +
                                       " is too large for one line; export it in the full form");
    }
    return std::nullopt;
  });
  if (error || !listening_) return error;
  v1::ExportConversationsResponse response;
  response.mutable_record()->set_jsonl(line.finish());
  return send(response);
}

ExportRun::Error ExportRun::send_full(const Address& address, const State& state) {
  v1::ExportConversationsResponse response;
  fill_conversation(state, address.key.thread, *response.mutable_record()->mutable_header());
  if (auto error = send(response)) return error;
  return for_messages(address, state, [&](std::vector<v1::Message>& messages) {
    response.Clear();
    for (auto& message : messages) {
      *response.mutable_record()->mutable_messages()->add_messages() = std::move(message);
    }
    return send(response);
  });
}

ExportRun::Error ExportRun::send(v1::ExportConversationsResponse& response) {
  listening_ = listening_ && send_(response.SerializeAsString());
  return std::nullopt;
}

}  // namespace parley
