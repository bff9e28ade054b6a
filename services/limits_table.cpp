#include "services/limits_table.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <type_traits>

namespace parley {
namespace {

constexpr auto k_settable = std::to_array<SettableLimit>({
    {"message_bytes", "--limit-message-bytes", &Limits::message_bytes, 1 << 10, 64 << 20,
     "One message, encoded"},
    {"request_bytes", "--limit-request-bytes", &Limits::request_bytes, 4 << 10, 256 << 20,
     "One request, encoded"},
    {"messages_per_append", "--limit-messages-per-append", &Limits::messages_per_append, 1, 10'000,
     "Messages in one append"},
    {"metadata_bytes", "--limit-metadata-bytes", &Limits::metadata_bytes, 2, 1 << 20,
     "Metadata as JSON"},
    {"watchers_per_conversation", "--limit-watchers", &Limits::watchers_per_conversation, 1,
     100'000, "Watchers of one conversation"},
    {"forks_per_conversation", "--limit-forks", &Limits::forks_per_conversation, 0, 10'000,
     "Living forks of one conversation"},
    {"waiting_calls", "--limit-waiting-calls", &Limits::waiting_calls, 1, 1'000'000,
     "Calls waiting in one conversation"},
    {"hot_window_messages_default", "--hot-window", &Limits::hot_window_messages_default, 1,
     static_cast<int64_t>(Limits{}.hot_window_messages_max), "Recent messages kept in memory"},
    {"dedup_requests_default", "--dedup-requests", &Limits::dedup_requests_default, 1,
     static_cast<int64_t>(Limits{}.dedup_requests_max), "Request ids remembered"},
    {"dedup_seconds", "--dedup-seconds", &Limits::dedup_seconds, 1, 365 * 86'400,
     "How long the request id of a deletion is remembered"},
});

struct LimitRow {
  std::string_view name;
  int64_t value;
  std::string_view unit;
  std::string_view meaning;
};

std::string shown(int64_t value, std::string_view unit) {
  constexpr int64_t k_kib = 1024;
  constexpr int64_t k_mib = k_kib * k_kib;
  constexpr int64_t k_hour = 3600;
  if (unit == "bytes" && value >= k_mib && value % k_mib == 0) {
    value /= k_mib;
    unit = "MiB";
  } else if (unit == "bytes" && value >= 4 * k_kib && value % k_kib == 0) {
    value /= k_kib;
    unit = "KiB";
  } else if (unit == "s" && value >= k_hour && value % k_hour == 0) {
    value /= k_hour;
    unit = "h";
  }
  const std::string digits = std::to_string(value);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  if (!unit.empty()) out.append(" ").append(unit);
  return out;
}

/// Which flag sets it, and to what.
std::string shown_range(const LimitRow& row) {
  const auto* limit = std::find_if(k_settable.begin(), k_settable.end(),
                                   [&](const auto& settable) { return row.name == settable.name; });
  if (limit == k_settable.end()) return "fixed";
  return std::string("`") + limit->flag + "` " + shown(limit->least, row.unit) + " to " +
         shown(limit->most, row.unit);
}

int64_t number(size_t value) { return static_cast<int64_t>(value); }

}  // namespace

std::span<const SettableLimit> settable_limits() { return k_settable; }

int64_t value_of(const Limits& limits, const SettableLimit& limit) {
  return std::visit([&](auto member) { return static_cast<int64_t>(limits.*member); },
                    limit.member);
}

void set_limit(Limits& limits, const SettableLimit& limit, int64_t value) {
  const auto set = [&](auto member) {
    using Value = std::remove_reference_t<decltype(limits.*member)>;
    limits.*member = static_cast<Value>(value);
  };
  std::visit(set, limit.member);
}

std::string limits_table_markdown(const Limits& l) {
  const auto rows = std::to_array<LimitRow>({
      {"message_bytes", number(l.message_bytes), "bytes", "one message, encoded"},
      {"request_bytes", number(l.request_bytes), "bytes", "one request, encoded"},
      {"response_bytes", number(l.response_bytes), "bytes", "messages in one answer, encoded"},
      {"messages_per_append", number(l.messages_per_append), "", "messages in one AppendMessages"},
      {"parts_per_message", number(l.parts_per_message), "", "parts of one message"},
      {"metadata_bytes", number(l.metadata_bytes), "bytes",
       "metadata of a conversation or a message, as JSON"},
      {"metadata_depth", number(l.metadata_depth), "", "nesting of metadata"},
      {"title_bytes", number(l.title_bytes), "bytes", "a title"},
      {"labels", number(l.labels), "", "labels of one conversation"},
      {"label_key_bytes", number(l.label_key_bytes), "bytes", "a label's key"},
      {"label_value_bytes", number(l.label_value_bytes), "bytes", "a label's value"},
      {"name_bytes", number(l.name_bytes), "bytes", "a name, a tool call's id, a file's name"},
      {"model_bytes", number(l.model_bytes), "bytes",
       "a model, a provider, a finish reason, a media type"},
      {"uri_bytes", number(l.uri_bytes), "bytes", "a URI"},
      {"page_size_default", number(l.page_size_default), "",
       "entries of a page, where none are asked"},
      {"page_size_max", number(l.page_size_max), "", "entries of a page; more means this many"},
      {"batch_get", number(l.batch_get), "", "conversations in one BatchGetConversations"},
      {"hot_window_messages_default", number(l.hot_window_messages_default), "",
       "recent messages in memory, where none are asked"},
      {"hot_window_messages_max", number(l.hot_window_messages_max), "",
       "the most that may be asked"},
      {"hot_window_bytes", number(l.hot_window_bytes), "bytes",
       "recent messages in memory, encoded"},
      {"dedup_requests_default", number(l.dedup_requests_default), "",
       "request ids that a conversation remembers, where none are asked"},
      {"dedup_requests_max", number(l.dedup_requests_max), "", "the most that may be asked"},
      {"dedup_seconds", l.dedup_seconds, "s",
       "how long the request id of a deletion is remembered"},
      {"forks_per_conversation", number(l.forks_per_conversation), "",
       "forks of one that exist at once"},
      {"fork_depth", number(l.fork_depth), "", "ancestors whose messages a fork still shows"},
      {"waiting_calls", number(l.waiting_calls), "", "calls of one that wait for durability"},
      {"watchers_per_conversation", number(l.watchers_per_conversation), "",
       "watch streams of one"},
      {"snapshot_events", number(l.snapshot_events), "",
       "changes after which a snapshot may be due"},
      {"snapshot_events_at_end", number(l.snapshot_events_at_end), "",
       "changes after which one is written when a conversation leaves memory"},
      {"money_units", l.money_units, "", "units of one amount of money, of either sign"},
      {"tokens", l.tokens, "", "one count of tokens"},
  });
  std::string out = "| limit | default | may be set to | of what |\n|---|---|---|---|\n";
  for (const LimitRow& row : rows) {
    out.append("| `").append(row.name).append("` | ").append(shown(row.value, row.unit));
    out.append(" | ").append(shown_range(row)).append(" | ").append(row.meaning).append(" |\n");
  }
  return out;
}

}  // namespace parley
