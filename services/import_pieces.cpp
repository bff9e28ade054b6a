#include "services/import_pieces.hpp"

#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "services/digest.hpp"
#include "services/error_table.hpp"
#include "services/metadata_json.hpp"
#include "services/validate.hpp"

namespace parley {
namespace {

constexpr uint64_t k_request_seed = 0x696d706f7274;  // "import"
/// Room in a request for what is not messages.
constexpr size_t k_slack_bytes = 64U << 10;

/// RFC 3339 in UTC, to the microsecond.
std::string text_of(const google::protobuf::Timestamp& time) {
  const auto seconds = static_cast<std::time_t>(time.seconds());
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  std::array<char, 64> text;
  const int size = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                                 parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                                 parts.tm_hour, parts.tm_min, parts.tm_sec, time.nanos() / 1'000);
  if (size <= 0 || static_cast<size_t>(size) >= text.size()) return {};
  return {text.data(), static_cast<size_t>(size)};
}

/// What the server assigns goes; when the message was said stays.
void clear_assigned(v1::Message& message) {
  if (message.has_create_time() && message.source_time().empty()) {
    message.set_source_time(text_of(message.create_time()));
  }
  message.clear_sequence();
  message.clear_create_time();
  message.clear_version();
}

void clear_assigned(v1::Conversation& header) {
  header.clear_version();
  header.clear_message_count();
  header.clear_create_time();
  header.clear_last_activity_time();
  header.clear_usage();
  header.clear_cost();
  header.clear_messages();
  header.clear_reset_version();
  header.clear_fork_origin();
  header.clear_message_bytes();
}

/// Makes the pieces of one conversation, in order.
class Splitter {
 public:
  Splitter(const std::string& thread, const Limits& limits) : thread_(thread), limits_(limits) {}

  void add(Command command, uint64_t digest, uint64_t first = 0, uint64_t count = 0) {
    CommandMeta meta;
    meta.request = import_request_id(thread_, pieces_.size(), digest);
    meta.digest = digest;
    pieces_.push_back({{std::move(command), meta}, first, count});
  }

  void add(v1::Message& message) {
    NewMessage made = new_message(message);
    const size_t bytes_max =
        limits_.request_bytes - std::min(limits_.request_bytes / 2, k_slack_bytes);
    const bool full = open_.messages.size() == limits_.messages_per_append ||
                      bytes_ + made.body->size() > bytes_max;
    if (full) close();
    bytes_ += made.body->size();
    digest_ = hash64(*made.body, digest_);
    open_.messages.push_back(std::move(made));
  }

  void close() {
    if (open_.messages.empty()) return;
    const uint64_t count = open_.messages.size();
    add(std::exchange(open_, {}), digest_, next_, count);
    next_ += count;
    bytes_ = 0;
    digest_ = 0;
  }

  std::vector<ImportPiece> take() { return std::move(pieces_); }

 private:
  const std::string& thread_;
  const Limits& limits_;
  std::vector<ImportPiece> pieces_;
  AppendMessages open_;
  size_t bytes_ = 0;
  uint64_t digest_ = 0;
  uint64_t next_ = 1;
};

CreateConversation creation_of(const v1::Conversation& header, const Limits& limits) {
  CreateConversation create{.user = header.user_id(),
                            .title = header.title(),
                            .metadata = {},
                            .labels = {header.labels().begin(), header.labels().end()},
                            .policy = policy_of(header.policy(), limits),
                            .source_json = header.source_json(),
                            .get_or_create = true,
                            .fork = std::nullopt};
  if (header.metadata().fields_size() > 0) {
    PARLEY_CHECK(!append_json(header.metadata(), limits.metadata_depth, create.metadata));
  }
  return create;
}

ApiError out_of_order(const std::string& thread, const std::string& problem) {
  ApiError error = make_error(ErrorId::import_out_of_order, {{"thread_id", thread}});
  error.message = problem + ". " + error.message;
  return error;
}

}  // namespace

Id128 import_request_id(std::string_view thread, uint64_t piece, uint64_t digest) {
  std::string bytes(thread);
  bytes.push_back('\0');
  bytes += std::to_string(piece);
  bytes.push_back('\0');
  bytes += std::to_string(digest);
  return hash128(bytes, k_request_seed);
}

std::optional<ApiError> FullFormReader::begin(v1::Conversation header) {
  give_up();
  clear_assigned(header);
  Violations violations;
  check_import_header(FieldPath("header"), header, limits_, violations);
  if (!violations.empty()) return violations.error();
  current_ = {std::move(header), {}};
  open_ = true;
  passing_over_ = false;
  return std::nullopt;
}

std::optional<ApiError> FullFormReader::add(v1::MessageBatch batch) {
  if (passing_over_) return std::nullopt;
  if (!open_) return out_of_order("", "Messages came without a header before them");
  auto error = take_in(batch);
  if (error) give_up();
  return error;
}

std::optional<ApiError> FullFormReader::take_in(v1::MessageBatch& batch) {
  const std::string& thread = current_.header.thread_id();
  const auto count = static_cast<size_t>(batch.messages_size());
  if (count == 0 || count > limits_.messages_per_append) {
    return invalid_field("messages", "has " + std::to_string(count) + " entries; give 1 to " +
                                         std::to_string(limits_.messages_per_append));
  }
  for (v1::Message& message : *batch.mutable_messages()) {
    const auto expected = static_cast<int64_t>(current_.messages.size() + 1);
    if (message.sequence() != 0 && message.sequence() != expected) {
      return out_of_order(thread, "Message " + std::to_string(message.sequence()) + " came where " +
                                      std::to_string(expected) + " is due");
    }
    clear_assigned(message);
    current_.messages.push_back(std::move(message));
  }
  return std::nullopt;
}

void FullFormReader::give_up() {
  current_ = {};
  open_ = false;
  passing_over_ = true;
}

ImportedConversation FullFormReader::take() {
  open_ = false;
  return std::exchange(current_, {});
}

Checked<std::vector<ImportPiece>> import_pieces(ImportedConversation imported,
                                                const Limits& limits) {
  Violations violations;
  check_import_header(FieldPath("header"), imported.header, limits, violations);
  for (size_t i = 0; i < imported.messages.size(); ++i) {
    check_message(FieldPath::element("messages", i), imported.messages[i], MessageSource::import,
                  limits, violations);
  }
  if (!violations.empty()) return violations.error();
  const std::string thread = imported.header.thread_id();
  const uint64_t digest = hash64(deterministic_bytes(imported.header));
  Splitter splitter(thread, limits);
  splitter.add(creation_of(imported.header, limits), digest);
  for (v1::Message& message : imported.messages) splitter.add(message);
  splitter.close();
  if (imported.header.state() == v1::CONVERSATION_STATE_ARCHIVED) {
    UpdateConversation archive;
    archive.lifecycle = Lifecycle::archived;
    splitter.add(std::move(archive), digest);
  }
  return splitter.take();
}

}  // namespace parley
