#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "google/rpc/status.pb.h"
#include <google/protobuf/message.h>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "conversation/decide.hpp"
#include "conversation/engine.hpp"
#include "services/violations.hpp"

/// Every error that a client can see, in one table: reason, status code, what to do, when to try
/// again. The README shows it (a test compares).
namespace parley {

enum class ErrorId : uint8_t {
  // What `decide` refuses, in the order of parley::Reason.
  conversation_not_found,
  conversation_exists,
  conversation_archived,
  version_mismatch,
  version_not_reached,
  version_in_future,
  version_not_retained,
  request_id_reused,
  sequence_out_of_range,
  too_many_forks,
  fork_too_deep,
  fork_not_found,
  too_many_labels,
  metadata_too_large,
  metadata_invalid,
  too_many_waiting,
  not_owner,
  // What the engine fails with beside that.
  not_written,
  outcome_unknown,
  // What is judged before a conversation is asked.
  invalid_field,
  invalid_request,
  request_too_large,
  page_token_invalid,
  page_token_expired,
  import_line_invalid,
  import_out_of_order,
  import_conflict,
  deadline_exceeded,
  cancelled,
  unimplemented,
  // What the server and its storage answer.
  disk_full,
  overloaded,
  node_unreachable,
  server_draining,
  watcher_too_slow,
  too_many_watchers,
  storage_damaged,
  storage_unavailable,
  export_incomplete,
  backup_failed,
  needs_cluster,
  shared_journal,
  shards_place_themselves,
  provider_not_found,
  internal,
};

struct ErrorRow {
  ErrorId id;
  std::string_view reason;
  absl::StatusCode code;
  /// Tells the caller what to do. {name} stands for the metadata of that name.
  std::string_view advice;
  int64_t retry_after_ms = 0;  ///< 0: waiting does not help
  bool quota = false;          ///< a limit was reached
};

/// In the order of ErrorId, without gaps.
std::span<const ErrorRow> error_table();
const ErrorRow& error_row(ErrorId id);

using ErrorMetadata = std::map<std::string, std::string>;

/// The row as an error. Every {name} of its sentence is filled from `metadata`, which goes out with
/// it.
ApiError make_error(ErrorId id, ErrorMetadata metadata = {});
/// The same by the row's reason code, such as "SERVER_DRAINING"; it must be one of the table.
ApiError error_with_reason(std::string_view reason, ErrorMetadata metadata = {});
/// One field is wrong.
ApiError invalid_field(std::string field, std::string description);

ApiError error_of(const Refusal& refusal, const ConversationKey& key);
ApiError error_of(Failure failure, const ConversationKey& key);
/// An error of storage or of an actor. Its message stays inside unless it is about what the caller
/// sent.
ApiError error_of(const Status& status, const ConversationKey& key = {});

/// The request's bytes are no message of the expected type, or hold text that is not UTF-8.
ApiError undecodable_request();
/// The same for a request of which the bytes are at hand: INVALID_FIELD naming the text that is not
/// UTF-8, else INVALID_REQUEST.
ApiError undecodable_request(std::string_view bytes, const google::protobuf::Message& expected);
ApiError deadline_passed();
ApiError request_too_large(size_t bytes, size_t bytes_max);

/// With ErrorInfo always, BadRequest, RetryInfo and QuotaFailure where they apply; below 4 KiB in
/// all.
google::rpc::Status to_rpc_status(const ApiError& error);
/// What another node told, to be told on.
/// Nothing was done: the conversation is, or comes to be, with another node.
bool is_not_owner(const ApiError& error);
ApiError from_rpc_status(const google::rpc::Status& status);

/// The table as the README shows it, between its markers.
std::string error_table_markdown();

}  // namespace parley
