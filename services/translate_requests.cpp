#include <utility>

#include "google/protobuf/io/coded_stream.h"

#include "base/check.hpp"
#include "base/hash.hpp"
#include "services/digest.hpp"
#include "services/metadata_json.hpp"
#include "services/translate.hpp"
#include "services/validate.hpp"

namespace parley {
namespace {

/// The digest of a request that is not on the hottest path: its encoding without the request id.
template <class Request>
uint64_t digest_of(std::string_view method, const Request& request) {
  Request body = request;
  body.clear_request_id();
  return hash64(deterministic_bytes(body), hash64(method));
}

template <class Request>
CommandMeta meta_of(const Request& request, uint64_t digest) {
  CommandMeta meta;
  if (!request.request_id().empty()) {
    const auto id = parse_uuid("request_id", request.request_id());
    PARLEY_CHECK(id.ok());  // validate() has seen it
    meta.request = *id;
  }
  meta.digest = digest;
  return meta;
}

template <class Request>
CommandMeta versioned_meta_of(const Request& request, uint64_t digest) {
  CommandMeta meta = meta_of(request, digest);
  if (request.has_expected_version()) {
    meta.expected = Version{static_cast<uint64_t>(request.expected_version())};
  }
  return meta;
}

std::string json_of(const google::protobuf::Struct& metadata, const Limits& limits) {
  std::string json;
  PARLEY_CHECK(!append_json(metadata, limits.metadata_depth, json));  // validate() has seen it
  return json;
}

std::map<std::string, std::string> labels_of(
    const google::protobuf::Map<std::string, std::string>& labels) {
  return {labels.begin(), labels.end()};
}

Lifecycle lifecycle_of(v1::ConversationState state) {
  return state == v1::CONVERSATION_STATE_ARCHIVED ? Lifecycle::archived : Lifecycle::active;
}

/// All of an append but its messages, whose encodings are hashed as they are made.
uint64_t append_header_digest(const v1::AppendMessagesRequest& request) {
  std::string header = "AppendMessages";
  header.push_back('\0');
  header += request.thread_id();
  header.push_back('\0');
  if (request.has_expected_version()) header += std::to_string(request.expected_version());
  header.push_back('\0');
  if (request.has_create_if_missing()) {
    header.push_back('+');
    header += request.create_if_missing().user_id();
  }
  return hash64(header);
}

/// A thread id that the same request leads to again.
std::string made_thread_id(std::string_view wanted, std::string_view method, std::string_view scope,
                           const std::string& request_id, const Id128& fresh) {
  if (!wanted.empty()) return std::string(wanted);
  if (request_id.empty()) return fresh.hex();
  const auto id = parse_uuid("request_id", request_id);
  PARLEY_CHECK(id.ok());
  std::string bytes(id->view());
  bytes.append(scope);
  return hash128(bytes, hash64(method)).hex();
}

}  // namespace

Policy policy_of(const v1::ConversationPolicy& policy, const Limits& limits) {
  const auto hot = static_cast<uint32_t>(policy.hot_window_messages());
  const auto dedup = static_cast<uint32_t>(policy.dedup_window_requests());
  return {
      .hot_window_messages =
          hot == 0 ? static_cast<uint32_t>(limits.hot_window_messages_default) : hot,
      .dedup_requests = dedup == 0 ? static_cast<uint32_t>(limits.dedup_requests_default) : dedup,
      .dedup_seconds = limits.dedup_seconds};
}

Charge charge_of(const v1::TokenUsage& usage, const v1::Money* cost, const std::string& model,
                 const std::string& provider) {
  const int64_t sum = usage.prompt_tokens() + usage.completion_tokens();
  Charge charge{.usage = {.prompt = usage.prompt_tokens(),
                          .completion = usage.completion_tokens(),
                          .total = usage.total_tokens() == 0 ? sum : usage.total_tokens(),
                          .cached = usage.cached_tokens(),
                          .cache_write = usage.cache_write_tokens(),
                          .reasoning = usage.reasoning_tokens()},
                .cost = std::nullopt,
                .model = model,
                .provider = provider};
  if (cost != nullptr) charge.cost = Money{cost->currency_code(), cost->units(), cost->nanos()};
  return charge;
}

NewMessage new_message(v1::Message& message) {
  NewMessage made;
  made.role = static_cast<Role>(message.role());
  if (message.has_usage() || message.has_cost()) {
    made.charge = charge_of(message.usage(), message.has_cost() ? &message.cost() : nullptr,
                            message.model(), message.provider());
    if (message.has_usage()) message.mutable_usage()->set_total_tokens(made.charge->usage.total);
  }
  auto body = std::make_shared<std::string>();
  append_deterministic(message, *body);
  made.body = std::move(body);
  return made;
}

Checked<Asked> translate(const v1::CreateConversationRequest& request, const Limits& limits) {
  if (auto error = validate(request, limits)) return *std::move(error);
  CreateConversation create{.user = request.user_id(),
                            .title = request.title(),
                            .metadata = {},
                            .labels = labels_of(request.labels()),
                            .policy = policy_of(request.policy(), limits),
                            .source_json = {},
                            .get_or_create = request.get_or_create(),
                            .fork = std::nullopt};
  if (request.metadata().fields_size() > 0) create.metadata = json_of(request.metadata(), limits);
  return Asked{std::move(create), meta_of(request, digest_of("CreateConversation", request))};
}

Checked<Asked> translate(v1::AppendMessagesRequest& request, const Limits& limits) {
  if (auto error = validate(std::as_const(request), limits)) return *std::move(error);
  AppendMessages append;
  append.messages.reserve(static_cast<size_t>(request.messages_size()));
  uint64_t digest = append_header_digest(request);
  for (v1::Message& message : *request.mutable_messages()) {
    append.messages.push_back(new_message(message));
    digest = hash64(*append.messages.back().body, digest);
  }
  if (request.has_create_if_missing()) {
    CreateConversation create;
    create.user = request.create_if_missing().user_id();
    create.policy = policy_of({}, limits);
    append.create_if_missing = std::move(create);
  }
  return Asked{std::move(append), versioned_meta_of(request, digest)};
}

Checked<Asked> translate(const v1::UpdateConversationRequest& request, const Limits& limits) {
  if (auto error = validate(request, limits)) return *std::move(error);
  UpdateConversation update;
  const v1::Conversation& from = request.conversation();
  for (const std::string& path : request.update_mask().paths()) {
    if (path == "title") update.title = from.title();
    if (path == "metadata") update.metadata_patch = json_of(from.metadata(), limits);
    if (path == "labels") update.labels_patch = labels_of(from.labels());
    if (path == "policy") update.policy = policy_of(from.policy(), limits);
    if (path == "user_id") update.user = from.user_id();
    if (path == "state") update.lifecycle = lifecycle_of(from.state());
  }
  return Asked{std::move(update),
               versioned_meta_of(request, digest_of("UpdateConversation", request))};
}

Checked<Asked> translate(const v1::RecordUsageRequest& request, const Limits& limits) {
  if (auto error = validate(request, limits)) return *std::move(error);
  RecordUsage record{charge_of(request.usage(), request.has_cost() ? &request.cost() : nullptr,
                               request.model(), request.provider())};
  return Asked{std::move(record), versioned_meta_of(request, digest_of("RecordUsage", request))};
}

Checked<Asked> translate(const v1::ResetConversationRequest& request, const Limits& limits) {
  if (auto error = validate(request, limits)) return *std::move(error);
  return Asked{ResetConversation{},
               versioned_meta_of(request, digest_of("ResetConversation", request))};
}

Checked<Asked> translate(const v1::DeleteConversationRequest& request, const Limits& limits) {
  if (auto error = validate(request, limits)) return *std::move(error);
  return Asked{DeleteConversation{request.allow_missing()},
               versioned_meta_of(request, digest_of("DeleteConversation", request))};
}

Checked<Asked> translate(const v1::ForkConversationRequest& request, std::string child,
                         const Limits& limits) {
  if (auto error = validate(request, limits)) return *std::move(error);
  NoteFork note{std::move(child), std::nullopt};
  if (request.has_at_sequence()) note.at = Sequence{static_cast<uint64_t>(request.at_sequence())};
  return Asked{std::move(note), versioned_meta_of(request, digest_of("ForkConversation", request))};
}

Asked fork_creation(std::string title, ForkPoint point) {
  CreateConversation create;
  create.title = std::move(title);
  create.fork = std::move(point);
  return Asked{std::move(create), {}};
}

std::string create_thread(const v1::CreateConversationRequest& request, const Id128& fresh) {
  return made_thread_id(request.thread_id(), "CreateConversation", "", request.request_id(), fresh);
}

std::string fork_thread(const v1::ForkConversationRequest& request, const Id128& fresh) {
  return made_thread_id(request.new_thread_id(), "ForkConversation", request.thread_id(),
                        request.request_id(), fresh);
}

}  // namespace parley
