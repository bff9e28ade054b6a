#include "services/error_table.hpp"

#include <array>
#include <utility>

#include "base/check.hpp"
#include "services/utf8_path.hpp"

namespace parley {
namespace {

using Id = ErrorId;
using Code = absl::StatusCode;

constexpr int64_t k_soon_ms = 100;
constexpr int64_t k_later_ms = 1'000;
constexpr int64_t k_much_later_ms = 10'000;

constexpr auto k_rows = std::to_array<ErrorRow>({
    {Id::conversation_not_found, "CONVERSATION_NOT_FOUND", Code::kNotFound,
     "Conversation {thread_id} does not exist. Check the id and the tenant, or create it first."},
    {Id::conversation_exists, "CONVERSATION_EXISTS", Code::kAlreadyExists,
     "Conversation {thread_id} exists already. Choose another id, or set get_or_create to be "
     "answered "
     "with it."},
    {Id::conversation_archived, "CONVERSATION_ARCHIVED", Code::kFailedPrecondition,
     "Conversation {thread_id} is archived and takes no messages. Set its state to ACTIVE with "
     "UpdateConversation first."},
    {Id::version_mismatch, "VERSION_MISMATCH", Code::kAborted,
     "The version is {current_version}, not the one expected; nothing was changed. Read the "
     "conversation, decide again, and send that as a new request."},
    {Id::version_not_reached, "VERSION_NOT_REACHED", Code::kFailedPrecondition,
     "The version is {current_version}, below min_version. Read again later, or ask for less.",
     k_soon_ms},
    {Id::version_in_future, "VERSION_IN_FUTURE", Code::kOutOfRange,
     "The version is {current_version}, below the one asked for. Ask for that one or an earlier "
     "one."},
    {Id::version_not_retained, "VERSION_NOT_RETAINED", Code::kFailedPrecondition,
     "That version is no longer kept: the conversation was reset since. Ask for reset_version or a "
     "later one."},
    {Id::request_id_reused, "REQUEST_ID_REUSED", Code::kInvalidArgument,
     "This request_id was used for another request. Make a fresh one for every new request; repeat "
     "one "
     "only to retry the same request unchanged."},
    {Id::sequence_out_of_range, "SEQUENCE_OUT_OF_RANGE", Code::kOutOfRange,
     "There is no message of that sequence. Ask for one from 1 to last_sequence, which this error "
     "carries."},
    {Id::too_many_forks, "TOO_MANY_FORKS", Code::kResourceExhausted,
     "Conversation {thread_id} has as many forks as it may have. Delete one that is no longer "
     "needed.",
     0, true},
    {Id::fork_too_deep, "FORK_TOO_DEEP", Code::kResourceExhausted,
     "The fork would share messages of more ancestors than a fork may. Fork from an earlier "
     "ancestor.",
     0, true},
    {Id::fork_not_found, "FORK_NOT_FOUND", Code::kNotFound,
     "Conversation {thread_id} keeps nothing for that fork. Fork it again."},
    {Id::too_many_labels, "TOO_MANY_LABELS", Code::kResourceExhausted,
     "The conversation would have more labels than it may. Remove some in the same request, by "
     "giving "
     "them an empty value.",
     0, true},
    {Id::metadata_too_large, "METADATA_TOO_LARGE", Code::kResourceExhausted,
     "The metadata would be larger than it may be. Remove members in the same request, by giving "
     "them "
     "null.",
     0, true},
    {Id::metadata_invalid, "METADATA_INVALID", Code::kInvalidArgument,
     "The metadata cannot be merged. It must be a JSON object within the depth allowed; flatten "
     "it."},
    {Id::too_many_waiting, "TOO_MANY_WAITING", Code::kResourceExhausted,
     "Too many calls to conversation {thread_id} are waiting. Send it again with the same "
     "request_id "
     "after the delay given, and fewer at a time.",
     k_soon_ms, true},
    {Id::not_owner, "NOT_OWNER", Code::kUnavailable,
     "The conversation is moving to another server; nothing was done. Send it again with the same "
     "request_id.",
     k_soon_ms},
    {Id::not_written, "NOT_WRITTEN", Code::kUnavailable,
     "Storage took nothing; nothing was done. Send it again with the same request_id.", k_later_ms},
    {Id::outcome_unknown, "OUTCOME_UNKNOWN", Code::kUnavailable,
     "It may have been done or not. Send it again with the same request_id, which does it at most "
     "once; "
     "without one, read the conversation first.",
     k_later_ms},
    {Id::invalid_field, "INVALID_FIELD", Code::kInvalidArgument,
     "Correct what the details name; the same request will be refused again."},
    {Id::invalid_request, "INVALID_REQUEST", Code::kInvalidArgument,
     "The request cannot be decoded. Send the message type of this method, with text in valid "
     "UTF-8."},
    {Id::request_too_large, "REQUEST_TOO_LARGE", Code::kResourceExhausted,
     "The request is larger than a request may be. Split it, and send large content by reference.",
     0, true},
    {Id::page_token_invalid, "PAGE_TOKEN_INVALID", Code::kInvalidArgument,
     "The page_token is not from an answer to this query. Pass next_page_token on unchanged with "
     "the "
     "same request, or leave it empty to begin again."},
    {Id::page_token_expired, "PAGE_TOKEN_EXPIRED", Code::kFailedPrecondition,
     "The conversation was reset since the page_token was made. Begin again with an empty one."},
    {Id::import_line_invalid, "IMPORT_LINE_INVALID", Code::kInvalidArgument,
     "Correct the record and send it again; an import can be repeated without harm."},
    {Id::import_out_of_order, "IMPORT_OUT_OF_ORDER", Code::kInvalidArgument,
     "Records of an import are a header, then its messages in order of sequence from 1. Send the "
     "conversation again from its header."},
    {Id::import_conflict, "IMPORT_CONFLICT", Code::kAlreadyExists,
     "Conversation {thread_id} exists with other content. Import under another id, or delete it "
     "first."},
    {Id::deadline_exceeded, "DEADLINE_EXCEEDED", Code::kDeadlineExceeded,
     "The deadline passed. Send it again with the same request_id and more time."},
    {Id::cancelled, "CANCELLED", Code::kCancelled,
     "The caller cancelled the call. It may have been done; send it again with the same request_id "
     "to "
     "find out."},
    {Id::unimplemented, "UNIMPLEMENTED", Code::kUnimplemented,
     "This server does not do that. See GetServerInfo for its release."},
    {Id::disk_full, "DISK_FULL", Code::kResourceExhausted,
     "The server's disk is nearly full, so that it takes no new data; reading and deleting go on. "
     "Tell "
     "its operator, and try again later.",
     k_much_later_ms, true},
    {Id::overloaded, "OVERLOADED", Code::kResourceExhausted,
     "The server has more calls than it can serve; nothing was done. Send it again with the same "
     "request_id after the delay given.",
     k_later_ms, true},
    {Id::node_unreachable, "NODE_UNREACHABLE", Code::kUnavailable,
     "Node {node}, which holds the conversation, cannot be reached; nothing was done. Send it "
     "again "
     "with the same request_id.",
     k_later_ms},
    {Id::server_draining, "SERVER_DRAINING", Code::kUnavailable,
     "The server is stopping. Send it again with the same request_id, to another server; resume a "
     "watch "
     "with the resume_version that this error carries.",
     k_soon_ms},
    {Id::watcher_too_slow, "WATCHER_TOO_SLOW", Code::kResourceExhausted,
     "The reader does not keep up. Watch again with after_version set to the resume_version that "
     "this "
     "error carries.",
     k_soon_ms, true},
    {Id::too_many_watchers, "TOO_MANY_WATCHERS", Code::kResourceExhausted,
     "The conversation has as many watchers as it may have. Close one, or watch again later.",
     k_much_later_ms, true},
    {Id::storage_damaged, "STORAGE_DAMAGED", Code::kDataLoss,
     "Stored bytes of the conversation fail their checksum. Do not retry; tell the server's "
     "operator, "
     "who can restore a backup."},
    {Id::storage_unavailable, "STORAGE_UNAVAILABLE", Code::kUnavailable,
     "The conversation cannot be reached now. Send it again with the same request_id.", k_later_ms},
    {Id::export_incomplete, "EXPORT_INCOMPLETE", Code::kDataLoss,
     "Everything was sent but {count} conversations with damaged bytes, which are missing or end "
     "early: {thread_ids}. Export them from a restored backup, or delete them."},
    {Id::backup_failed, "BACKUP_FAILED", Code::kInternal,
     "The backup was not taken, for the cause that this error carries. Where the disk is full make "
     "room in the backup directory; where stored bytes are damaged see VerifyStorage."},
    {Id::needs_cluster, "NEEDS_CLUSTER", Code::kUnimplemented,
     "This server is alone: there is no other node. Start it with --cluster and --peers, or leave "
     "this out."},
    {Id::shared_journal, "SHARED_JOURNAL", Code::kUnimplemented,
     "This cluster keeps its conversations in a PostgreSQL database. Back it up, restore it and "
     "check it with the database's own tools."},
    {Id::shards_place_themselves, "SHARDS_PLACE_THEMSELVES", Code::kUnimplemented,
     "Where nodes share a journal, shards go where they belong by themselves. Stop a node to empty "
     "it."},
    {Id::provider_not_found, "PROVIDER_NOT_FOUND", Code::kNotFound,
     "No provider is called {provider}. ListProviders names all, and what they are called as "
     "well."},
    {Id::internal, "INTERNAL", Code::kInternal,
     "The server failed in a way it should not. Send it again with the same request_id; if it "
     "stays, "
     "tell the server's operator."},
});

constexpr bool in_order() {
  for (size_t i = 0; i < k_rows.size(); ++i) {
    if (static_cast<size_t>(k_rows[i].id) != i) return false;
  }
  return k_rows.size() == static_cast<size_t>(Id::internal) + 1;
}
static_assert(in_order(), "one row for each ErrorId, in its order");
static_assert(static_cast<uint8_t>(Id::not_owner) == static_cast<uint8_t>(Reason::not_owner),
              "the first ids are parley::Reason");

std::string filled(std::string_view sentence, const ErrorMetadata& metadata) {
  std::string out;
  while (true) {
    const size_t open = sentence.find('{');
    out += sentence.substr(0, open);
    if (open == std::string_view::npos) return out;
    const size_t close = sentence.find('}', open);
    const auto value = metadata.find(std::string(sentence.substr(open + 1, close - open - 1)));
    out += value == metadata.end() || value->second.empty() ? "(not given)" : value->second;
    sentence.remove_prefix(close + 1);
  }
}

/// What `detail` of a refusal means; nullptr for those that carry none.
const char* detail_name(Reason reason) {
  switch (reason) {
    case Reason::sequence_out_of_range:
      return "last_sequence";
    case Reason::too_many_labels:
      return "labels";
    case Reason::metadata_too_large:
      return "metadata_bytes";
    case Reason::metadata_invalid:
      return "problem";
    case Reason::version_not_retained:
      return "reset_version";
    case Reason::conversation_not_found:
    case Reason::conversation_exists:
    case Reason::conversation_archived:
    case Reason::version_mismatch:
    case Reason::version_not_reached:
    case Reason::version_in_future:
    case Reason::request_id_reused:
    case Reason::too_many_forks:
    case Reason::fork_too_deep:
    case Reason::fork_not_found:
    case Reason::too_many_waiting:
    case Reason::not_owner:
      return nullptr;
  }
  return nullptr;
}

ErrorMetadata metadata_of(const ConversationKey& key) {
  ErrorMetadata metadata;
  if (!key.thread.empty()) metadata["thread_id"] = key.thread;
  return metadata;
}

std::string_view code_name(absl::StatusCode code) {
  static const std::map<absl::StatusCode, std::string> k_names = [] {
    std::map<absl::StatusCode, std::string> all;
    for (int i = 0; i <= 16; ++i) {
      const auto value = static_cast<absl::StatusCode>(i);
      all[value] = absl::StatusCodeToString(value);
    }
    return all;
  }();
  return k_names.at(code);
}

}  // namespace

std::span<const ErrorRow> error_table() { return k_rows; }

const ErrorRow& error_row(ErrorId id) { return k_rows[static_cast<size_t>(id)]; }

ApiError make_error(ErrorId id, ErrorMetadata metadata) {
  const ErrorRow& row = error_row(id);
  ApiError error;
  error.code = row.code;
  error.reason = row.reason;
  error.message = filled(row.advice, metadata);
  error.metadata = std::move(metadata);
  if (row.retry_after_ms > 0) error.retry_after_ms = row.retry_after_ms;
  if (row.quota) {
    const auto thread = error.metadata.find("thread_id");
    error.quota_subject = thread == error.metadata.end() ? "server" : "thread:" + thread->second;
  }
  return error;
}

ApiError error_with_reason(std::string_view reason, ErrorMetadata metadata) {
  for (const ErrorRow& row : k_rows) {
    if (row.reason == reason) return make_error(row.id, std::move(metadata));
  }
  PARLEY_CHECK(false);
  return make_error(Id::internal);
}

ApiError invalid_field(std::string field, std::string description) {
  Violations violations;
  violations.add(std::move(field), std::move(description));
  return violations.error();
}

ApiError error_of(const Refusal& refusal, const ConversationKey& key) {
  ErrorMetadata metadata = metadata_of(key);
  metadata["current_version"] = std::to_string(refusal.current.value);
  const char* name = detail_name(refusal.reason);
  if (name != nullptr && !refusal.detail.empty()) metadata[name] = refusal.detail;
  return make_error(static_cast<ErrorId>(refusal.reason), std::move(metadata));
}

bool is_not_owner(const ApiError& error) { return error.reason == error_row(Id::not_owner).reason; }

ApiError error_of(Failure failure, const ConversationKey& key) {
  switch (failure) {
    case Failure::not_owner:
      return make_error(Id::not_owner, metadata_of(key));
    case Failure::not_written:
      return make_error(Id::not_written, metadata_of(key));
    case Failure::unknown:
      return make_error(Id::outcome_unknown, metadata_of(key));
  }
  return make_error(Id::outcome_unknown, metadata_of(key));
}

ApiError error_of(const Status& status, const ConversationKey& key) {
  switch (status.code()) {
    case Code::kInvalidArgument: {
      // Made by the checks of base/ids.hpp: "field: what is wrong".
      const std::string message(status.message());
      const size_t colon = message.find(": ");
      if (colon == std::string::npos) return invalid_field("request", message);
      return invalid_field(message.substr(0, colon), message.substr(colon + 2));
    }
    case Code::kNotFound:
      return make_error(Id::conversation_not_found, metadata_of(key));
    case Code::kDataLoss:
      return make_error(Id::storage_damaged, metadata_of(key));
    case Code::kUnavailable:
    case Code::kAborted:
    case Code::kUnknown:
    case Code::kFailedPrecondition:
      return make_error(Id::storage_unavailable, metadata_of(key));
    case Code::kResourceExhausted:
      return make_error(Id::overloaded, metadata_of(key));
    case Code::kDeadlineExceeded:
      return make_error(Id::deadline_exceeded, metadata_of(key));
    case Code::kCancelled:
      return make_error(Id::cancelled, metadata_of(key));
    case Code::kUnimplemented:
      return make_error(Id::unimplemented, metadata_of(key));
    default:
      return make_error(Id::internal, metadata_of(key));
  }
}

ApiError undecodable_request() { return make_error(Id::invalid_request); }

ApiError undecodable_request(std::string_view bytes, const google::protobuf::Message& expected) {
  const auto bad = find_bad_text(bytes, *expected.GetDescriptor());
  if (!bad) return undecodable_request();
  return invalid_field(bad->field, "byte " + std::to_string(bad->at) +
                                       " of this text is not valid UTF-8; send text as UTF-8");
}

ApiError deadline_passed() { return make_error(Id::deadline_exceeded); }

ApiError request_too_large(size_t bytes, size_t bytes_max) {
  return make_error(Id::request_too_large, {{"request_bytes", std::to_string(bytes)},
                                            {"request_bytes_max", std::to_string(bytes_max)}});
}

std::string error_table_markdown() {
  std::string out = "| reason | code | retry after | what to do |\n|---|---|---|---|\n";
  for (const ErrorRow& row : k_rows) {
    out.append("| `").append(row.reason).append("` | ").append(code_name(row.code)).append(" | ");
    if (row.retry_after_ms > 0) out += std::to_string(row.retry_after_ms) + " ms";
    out.append(" | ").append(row.advice).append(" |\n");
  }
  return out;
}

}  // namespace parley
