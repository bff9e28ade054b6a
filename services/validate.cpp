#include "services/validate.hpp"

#include <set>

#include <nlohmann/json.hpp>

#include "services/check_fields.hpp"

namespace parley {
namespace {

constexpr int k_label_conditions_max = 8;
constexpr int k_metadata_conditions_max = 8;
constexpr int k_batch_message_limit_max = 50;
constexpr int32_t k_heartbeat_ms_min = 1'000;

using Labels = google::protobuf::Map<std::string, std::string>;

/// One request being checked; one method for each kind of field.
class Checker {
 public:
  explicit Checker(const Limits& limits) : limits_(limits) {}

  [[nodiscard]] std::optional<ApiError> result() const {
    if (violations_.empty()) return std::nullopt;
    return violations_.error();
  }
  [[nodiscard]] Violations& violations() { return violations_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }

  void id(std::string_view field, std::string_view value) {
    check_id_field(FieldPath(field), value, violations_);
  }
  void optional_id(std::string_view field, std::string_view value) {
    if (!value.empty()) id(field, value);
  }
  void request_id(const std::string& value) {
    if (value.empty()) return;
    const auto parsed = parse_uuid("", value);
    if (!parsed.ok()) {
      violations_.add("request_id", std::string(parsed.status().message().substr(2)));
    }
  }
  template <class Request>
  void mutation(const Request& request) {
    if (request.has_expected_version()) {
      not_negative("expected_version", request.expected_version());
    }
    request_id(request.request_id());
  }
  void not_negative(std::string_view field, int64_t value) {
    check_not_negative(FieldPath(field), value, violations_);
  }
  void in_range(const FieldPath& field, int64_t value, int64_t least, int64_t most) {
    if (value >= least && value <= most) return;
    violations_.add(field.text(),
                    "must be " + std::to_string(least) + " to " + std::to_string(most));
  }
  void text(const FieldPath& field, std::string_view value, size_t bytes_max) {
    check_text_size(field, value, bytes_max, violations_);
  }
  void labels(const FieldPath& field, const Labels& labels, size_t count_max) {
    if (labels.size() > count_max) {
      violations_.add(field.text(), "has " + std::to_string(labels.size()) + " entries; at most " +
                                        std::to_string(count_max));
      return;
    }
    for (const auto& [key, value] : labels) {
      if (key.empty() || key.size() > limits_.label_key_bytes) {
        violations_.add(field.text(), "key " + in_quotes(key) + " must be 1 to " +
                                          std::to_string(limits_.label_key_bytes) + " bytes");
      }
      if (value.size() > limits_.label_value_bytes) {
        violations_.add(field.text(), "the value of " + in_quotes(key) + " must be at most " +
                                          std::to_string(limits_.label_value_bytes) + " bytes");
      }
    }
  }
  void policy(const FieldPath& field, const v1::ConversationPolicy& policy) {
    in_range(field.at("hot_window_messages"), policy.hot_window_messages(), 0,
             static_cast<int64_t>(limits_.hot_window_messages_max));
    in_range(field.at("dedup_window_requests"), policy.dedup_window_requests(), 0,
             static_cast<int64_t>(limits_.dedup_requests_max));
  }
  template <class Described>
  void description(const FieldPath* around, const Described& from) {
    const auto at = [&](std::string_view name) {
      return around == nullptr ? FieldPath(name) : around->at(name);
    };
    if (!from.user_id().empty()) check_id_field(at("user_id"), from.user_id(), violations_);
    text(at("title"), from.title(), limits_.title_bytes);
    if (from.has_metadata()) check_metadata(at("metadata"), from.metadata(), limits_, violations_);
    labels(at("labels"), from.labels(), limits_.labels);
    policy(at("policy"), from.policy());
  }
  void ids(std::string_view field, const google::protobuf::RepeatedPtrField<std::string>& values) {
    std::set<std::string_view> seen;
    for (int i = 0; i < values.size(); ++i) {
      const FieldPath at = FieldPath::element(field, static_cast<size_t>(i));
      check_id_field(at, values.Get(i), violations_);
      if (!seen.insert(values.Get(i)).second) violations_.add(at.text(), "is named twice");
    }
  }

 private:
  const Limits& limits_;
  Violations violations_;
};

void check_filter(const v1::MessageFilter& filter, Checker& check) {
  const FieldPath at("filter");
  for (int i = 0; i < filter.roles_size(); ++i) {
    check_enum<v1::Role_IsValid>(at.at("roles", static_cast<size_t>(i)), filter.roles(i),
                                 "use USER, ASSISTANT, SYSTEM or TOOL", check.violations());
  }
  check_not_negative(at.at("from_sequence"), filter.from_sequence(), check.violations());
  check_not_negative(at.at("to_sequence"), filter.to_sequence(), check.violations());
  if (filter.has_from_time()) {
    check_time(at.at("from_time"), filter.from_time(), check.violations());
  }
  if (filter.has_to_time()) check_time(at.at("to_time"), filter.to_time(), check.violations());
  if (filter.metadata().fields_size() > k_metadata_conditions_max) {
    check.violations().add("filter.metadata", "has more than 8 members; at most 8");
  } else if (filter.has_metadata()) {
    check_metadata(at.at("metadata"), filter.metadata(), check.limits(), check.violations());
  }
}

void check_masked_field(const std::string& path, size_t index, const v1::Conversation& from,
                        Checker& check) {
  const FieldPath at("conversation");
  if (path == "title") {
    check.text(at.at("title"), from.title(), check.limits().title_bytes);
  } else if (path == "metadata") {
    check_metadata(at.at("metadata"), from.metadata(), check.limits(), check.violations());
  } else if (path == "labels") {
    check.labels(at.at("labels"), from.labels(), check.limits().labels);
  } else if (path == "policy") {
    check.policy(at.at("policy"), from.policy());
  } else if (path == "user_id") {
    if (!from.user_id().empty()) {
      check_id_field(at.at("user_id"), from.user_id(), check.violations());
    }
  } else if (path == "state") {
    check_enum<v1::ConversationState_IsValid>(at.at("state"), from.state(),
                                              "use ACTIVE or ARCHIVED", check.violations());
  } else {
    check.violations().add(
        FieldPath("update_mask").at("paths", index).text(),
        in_quotes(path) +
            " cannot be updated; use title, metadata, labels, policy, user_id or state");
  }
}

}  // namespace

void check_text_size(const FieldPath& at, std::string_view text, size_t bytes_max,
                     Violations& violations) {
  if (text.size() <= bytes_max) return;
  violations.add(at.text(), "takes " + std::to_string(text.size()) + " bytes; at most " +
                                std::to_string(bytes_max));
}

void check_import_header(const FieldPath& at, const v1::Conversation& header, const Limits& limits,
                         Violations& violations) {
  Checker check(limits);
  check_id_field(at.at("thread_id"), header.thread_id(), check.violations());
  check.description(&at, header);
  if (!v1::ConversationState_IsValid(header.state())) {
    check.violations().add(at.at("state").text(), "use ACTIVE or ARCHIVED");
  }
  const std::string& source = header.source_json();
  check.text(at.at("source_json"), source, limits.message_bytes);
  if (!source.empty() && (source.front() != '{' || !nlohmann::json::accept(source) ||
                          source.find_first_of("\r\n") != std::string::npos)) {
    check.violations().add(at.at("source_json").text(), "must be a JSON object on one line");
  }
  for (const FieldViolation& found : check.violations().kept()) {
    violations.add(found.field, found.description);
  }
}

std::optional<ApiError> validate(const v1::CreateConversationRequest& request,
                                 const Limits& limits) {
  Checker check(limits);
  check.optional_id("thread_id", request.thread_id());
  check.description(nullptr, request);
  check.request_id(request.request_id());
  return check.result();
}

std::optional<ApiError> validate(const v1::GetConversationRequest& request, const Limits& limits) {
  Checker check(limits);
  check.id("thread_id", request.thread_id());
  check.in_range(FieldPath("message_limit"), request.message_limit(), 0,
                 static_cast<int64_t>(limits.page_size_max));
  if (request.has_as_of_version() && request.as_of_version() < 1) {
    check.violations().add("as_of_version",
                           "must be 1 or more; leave it out to read the current one");
  }
  check.not_negative("min_version", request.min_version());
  return check.result();
}

std::optional<ApiError> validate(const v1::BatchGetConversationsRequest& request,
                                 const Limits& limits) {
  Checker check(limits);
  const auto count = static_cast<size_t>(request.thread_ids_size());
  if (count == 0 || count > limits.batch_get) {
    check.violations().add("thread_ids", "has " + std::to_string(count) + " entries; give 1 to " +
                                             std::to_string(limits.batch_get));
  } else {
    check.ids("thread_ids", request.thread_ids());
  }
  check.in_range(FieldPath("message_limit"), request.message_limit(), 0, k_batch_message_limit_max);
  return check.result();
}

std::optional<ApiError> validate(const v1::ListConversationsRequest& request,
                                 const Limits& limits) {
  Checker check(limits);
  check.optional_id("user_id", request.user_id());
  check.labels(FieldPath("labels"), request.labels(), k_label_conditions_max);
  if (!v1::ConversationState_IsValid(request.state())) {
    check.violations().add("state", "has no value " + std::to_string(request.state()) +
                                        "; use ACTIVE or ARCHIVED, or leave it out");
  }
  check.not_negative("page_size", request.page_size());
  return check.result();
}

std::optional<ApiError> validate(const v1::UpdateConversationRequest& request,
                                 const Limits& limits) {
  Checker check(limits);
  check.id("thread_id", request.thread_id());
  check.mutation(request);
  if (request.update_mask().paths().empty()) {
    check.violations().add("update_mask", "is required; name the fields to change");
  }
  if (!request.has_conversation()) {
    check.violations().add("conversation", "is required; give the new values in it");
  }
  for (int i = 0; i < request.update_mask().paths_size(); ++i) {
    check_masked_field(request.update_mask().paths(i), static_cast<size_t>(i),
                       request.conversation(), check);
  }
  return check.result();
}

std::optional<ApiError> validate(const v1::DeleteConversationRequest& request,
                                 const Limits& limits) {
  Checker check(limits);
  check.id("thread_id", request.thread_id());
  check.mutation(request);
  return check.result();
}

std::optional<ApiError> validate(const v1::ResetConversationRequest& request,
                                 const Limits& limits) {
  Checker check(limits);
  check.id("thread_id", request.thread_id());
  check.mutation(request);
  return check.result();
}

std::optional<ApiError> validate(const v1::ForkConversationRequest& request, const Limits& limits) {
  Checker check(limits);
  check.id("thread_id", request.thread_id());
  check.optional_id("new_thread_id", request.new_thread_id());
  if (!request.thread_id().empty() && request.thread_id() == request.new_thread_id()) {
    check.violations().add("new_thread_id", "must differ from thread_id");
  }
  if (request.has_at_sequence()) check.not_negative("at_sequence", request.at_sequence());
  check.text(FieldPath("title"), request.title(), limits.title_bytes);
  check.mutation(request);
  return check.result();
}

std::optional<ApiError> validate(const v1::AppendMessagesRequest& request, const Limits& limits) {
  Checker check(limits);
  check.id("thread_id", request.thread_id());
  check.mutation(request);
  if (request.has_create_if_missing() && !request.create_if_missing().user_id().empty()) {
    const FieldPath create("create_if_missing");
    check_id_field(create.at("user_id"), request.create_if_missing().user_id(), check.violations());
  }
  const auto count = static_cast<size_t>(request.messages_size());
  if (count == 0 || count > limits.messages_per_append) {
    check.violations().add("messages", "has " + std::to_string(count) + " entries; give 1 to " +
                                           std::to_string(limits.messages_per_append));
    return check.result();
  }
  for (size_t i = 0; i < count; ++i) {
    check_message(FieldPath::element("messages", i), request.messages(static_cast<int>(i)),
                  MessageSource::client, limits, check.violations());
  }
  return check.result();
}

std::optional<ApiError> validate(const v1::ListMessagesRequest& request, const Limits& limits) {
  Checker check(limits);
  check.id("thread_id", request.thread_id());
  check.not_negative("page_size", request.page_size());
  if (!v1::MessageOrder_IsValid(request.order())) {
    check.violations().add("order", "has no value " + std::to_string(request.order()) +
                                        "; use OLDEST_FIRST or NEWEST_FIRST");
  }
  check_filter(request.filter(), check);
  check.not_negative("min_version", request.min_version());
  return check.result();
}

std::optional<ApiError> validate(const v1::RecordUsageRequest& request, const Limits& limits) {
  Checker check(limits);
  check.id("thread_id", request.thread_id());
  check.mutation(request);
  if (!request.has_usage() && !request.has_cost()) {
    check.violations().add("usage", "is required where there is no cost; give one of both");
  }
  check_usage(FieldPath("usage"), request.usage(), limits, check.violations());
  if (request.has_cost()) {
    check_money(FieldPath("cost"), request.cost(), limits, check.violations());
  }
  check.text(FieldPath("model"), request.model(), limits.model_bytes);
  check.text(FieldPath("provider"), request.provider(), limits.model_bytes);
  return check.result();
}

std::optional<ApiError> validate(const v1::GetUsageRequest& request, const Limits& limits) {
  Checker check(limits);
  check.id("thread_id", request.thread_id());
  check.not_negative("page_size", request.page_size());
  check.not_negative("min_version", request.min_version());
  return check.result();
}

std::optional<ApiError> validate(const v1::WatchConversationRequest& request,
                                 const Limits& limits) {
  Checker check(limits);
  check.id("thread_id", request.thread_id());
  check.not_negative("after_version", request.after_version());
  const int32_t interval = request.heartbeat_interval_ms();
  if (interval != 0 && interval < k_heartbeat_ms_min) {
    check.violations().add("heartbeat_interval_ms", "must be 0 or at least 1000");
  }
  return check.result();
}

std::optional<ApiError> validate(const v1::ExportConversationsRequest& request,
                                 const Limits& limits) {
  Checker check(limits);
  check.ids("thread_ids", request.thread_ids());
  check.optional_id("user_id", request.user_id());
  if (!v1::TransferForm_IsValid(request.form())) {
    check.violations().add(
        "form", "has no value " + std::to_string(request.form()) + "; use FULL or JSONL");
  }
  return check.result();
}

std::optional<ApiError> validate(const v1::LocateConversationRequest& request,
                                 const Limits& limits) {
  Checker check(limits);
  check.id("thread_id", request.thread_id());
  return check.result();
}

}  // namespace parley
