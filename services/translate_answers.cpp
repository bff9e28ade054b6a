#include <utility>

#include "services/metadata_json.hpp"
#include "services/translate.hpp"

namespace parley {
namespace {

constexpr int64_t k_micros_per_second = 1'000'000;
constexpr int64_t k_nanos_per_micro = 1'000;

void fill_totals(const Totals& totals, v1::TokenUsage& usage,
                 google::protobuf::RepeatedPtrField<v1::Money>& cost) {
  fill_usage(totals.usage, usage);
  for (const auto& [currency, money] : totals.cost) fill_money(money, *cost.Add());
}

v1::UsageRecord usage_record(const Event& event, Sequence sequence, const Charge& charge) {
  v1::UsageRecord record;
  record.set_version(static_cast<int64_t>(event.version.value));
  fill_time(event.time, *record.mutable_time());
  record.set_sequence(static_cast<int64_t>(sequence.value));
  record.set_model(charge.model);
  record.set_provider(charge.provider);
  fill_usage(charge.usage, *record.mutable_usage());
  if (charge.cost) fill_money(*charge.cost, *record.mutable_cost());
  return record;
}

}  // namespace

void fill_time(WallTime time, google::protobuf::Timestamp& out) {
  int64_t seconds = time.micros / k_micros_per_second;
  int64_t micros = time.micros % k_micros_per_second;
  if (micros < 0) {
    --seconds;
    micros += k_micros_per_second;
  }
  out.set_seconds(seconds);
  out.set_nanos(static_cast<int32_t>(micros * k_nanos_per_micro));
}

WallTime wall_time(const google::protobuf::Timestamp& time) {
  return {time.seconds() * k_micros_per_second + time.nanos() / k_nanos_per_micro};
}

void fill_usage(const Usage& usage, v1::TokenUsage& out) {
  out.set_prompt_tokens(usage.prompt);
  out.set_completion_tokens(usage.completion);
  out.set_total_tokens(usage.total);
  out.set_cached_tokens(usage.cached);
  out.set_cache_write_tokens(usage.cache_write);
  out.set_reasoning_tokens(usage.reasoning);
}

void fill_money(const Money& money, v1::Money& out) {
  out.set_currency_code(money.currency);
  out.set_units(money.units);
  out.set_nanos(money.nanos);
}

void fill_policy(const Policy& policy, v1::ConversationPolicy& out) {
  out.set_hot_window_messages(static_cast<int32_t>(policy.hot_window_messages));
  out.set_dedup_window_requests(static_cast<int32_t>(policy.dedup_requests));
}

void fill_conversation(const State& state, const std::string& thread, v1::Conversation& out) {
  out.set_thread_id(thread);
  out.set_user_id(state.user);
  out.set_title(state.title);
  out.set_version(static_cast<int64_t>(state.version.value));
  out.set_message_count(static_cast<int64_t>(state.last_sequence.value));
  fill_time(state.create_time, *out.mutable_create_time());
  fill_time(state.last_activity, *out.mutable_last_activity_time());
  if (!state.metadata.empty()) parse_json(state.metadata, *out.mutable_metadata());
  out.mutable_labels()->insert(state.labels.begin(), state.labels.end());
  fill_policy(state.policy, *out.mutable_policy());
  out.set_state(to_proto(state.lifecycle));
  fill_totals(state.totals, *out.mutable_usage(), *out.mutable_cost());
  out.set_reset_version(static_cast<int64_t>(state.reset_version.value));
  if (state.origin) {
    out.mutable_fork_origin()->set_thread_id(state.origin->thread);
    out.mutable_fork_origin()->set_sequence(static_cast<int64_t>(state.origin->at.value));
  }
  out.set_message_bytes(static_cast<int64_t>(state.message_bytes));
  out.set_source_json(state.source_json);
}

void fill_totals(const State& state, v1::GetUsageResponse& out) {
  fill_totals(state.totals, *out.mutable_total(), *out.mutable_total_cost());
  for (const auto& [model, totals] : state.by_model) {
    auto* usage = out.add_by_model();
    usage->set_model(model);
    fill_totals(totals, *usage->mutable_usage(), *usage->mutable_cost());
  }
  out.set_version(static_cast<int64_t>(state.version.value));
}

void fill_append_response(const Receipt& receipt, v1::AppendMessagesResponse& out) {
  out.set_first_sequence(static_cast<int64_t>(receipt.first.value));
  out.set_last_sequence(static_cast<int64_t>(receipt.last.value));
  out.set_version(static_cast<int64_t>(receipt.version.value));
  fill_time(receipt.time, *out.mutable_create_time());
}

std::vector<v1::UsageRecord> usage_records(const Event& event) {
  std::vector<v1::UsageRecord> records;
  if (const auto* recorded = std::get_if<UsageRecorded>(&event.body)) {
    records.push_back(usage_record(event, {}, recorded->charge));
  } else if (const auto* appended = std::get_if<MessagesAppended>(&event.body)) {
    Sequence sequence = appended->first;
    for (const AppendedMessage& message : appended->messages) {
      if (message.charge) records.push_back(usage_record(event, sequence, *message.charge));
      ++sequence.value;
    }
  }
  return records;
}

v1::Role to_proto(Role role) {
  switch (role) {
    case Role::user:
      return v1::ROLE_USER;
    case Role::assistant:
      return v1::ROLE_ASSISTANT;
    case Role::system:
      return v1::ROLE_SYSTEM;
    case Role::tool:
      return v1::ROLE_TOOL;
  }
  return v1::ROLE_UNSPECIFIED;
}

v1::ConversationState to_proto(Lifecycle lifecycle) {
  switch (lifecycle) {
    case Lifecycle::active:
      return v1::CONVERSATION_STATE_ACTIVE;
    case Lifecycle::archived:
      return v1::CONVERSATION_STATE_ARCHIVED;
  }
  return v1::CONVERSATION_STATE_UNSPECIFIED;
}

}  // namespace parley
