#include "services/limits_table.hpp"

#include <array>
#include <string_view>

namespace parley {
namespace {

struct LimitRow {
  std::string_view name;
  int64_t value;
  std::string_view unit;
  std::string_view meaning;
};

std::string shown(const LimitRow& row) {
  constexpr int64_t k_kib = 1024;
  constexpr int64_t k_mib = k_kib * k_kib;
  constexpr int64_t k_hour = 3600;
  std::string_view unit = row.unit;
  int64_t value = row.value;
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

int64_t number(size_t value) { return static_cast<int64_t>(value); }

}  // namespace

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
      {"dedup_seconds", l.dedup_seconds, "s", "how long a request id is remembered"},
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
  std::string out = "| limit | default | of what |\n|---|---|---|\n";
  for (const LimitRow& row : rows) {
    out.append("| `").append(row.name).append("` | ").append(shown(row)).append(" | ");
    out.append(row.meaning).append(" |\n");
  }
  return out;
}

}  // namespace parley
