#include "services/cli/print.hpp"

#include <algorithm>
#include <cstdlib>
#include <ostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/util/time_util.h"

#include "services/cli/console.hpp"
#include "services/cli/terminal_text.hpp"
#include "services/cli/units.hpp"

namespace parley::cli {
namespace {

constexpr size_t k_cell_columns_max = 48;

std::string count(int64_t value) { return format_count(static_cast<uint64_t>(value)); }

template <class Amounts>
std::string format_amounts(const Amounts& amounts) {
  return absl::StrJoin(amounts, ", ", [](std::string* out, const v1::Money& money) {
    out->append(format_money(money));
  });
}

std::string format_labels(const v1::Conversation& conversation) {
  std::vector<std::string> labels;
  for (const auto& [key, value] : conversation.labels()) {
    labels.push_back(printable(key + "=" + value, false));
  }
  std::sort(labels.begin(), labels.end());
  return absl::StrJoin(labels, ", ");
}

std::string state_name(v1::ConversationState state) {
  const std::string name = v1::ConversationState_Name(state);
  return absl::AsciiStrToLower(name.substr(name.rfind('_') + 1));
}

/// "uri", "file id" or how many bytes are inline.
template <class Media>
std::string source_of(const Media& media) {
  if (!media.uri().empty()) return media.uri();
  if (!media.file_id().empty()) return "file " + media.file_id();
  return format_bytes(media.data().size());
}

std::string part_text(const v1::Part& part) {
  switch (part.kind_case()) {
    case v1::Part::kText:
      return part.text().text();
    case v1::Part::kImage:
      return absl::StrCat("[image ", part.image().media_type(), " ", source_of(part.image()), "]");
    case v1::Part::kFile:
      return absl::StrCat("[file ", part.file().filename(), " ", part.file().media_type(), " ",
                          source_of(part.file()), "]");
    case v1::Part::kToolCall:
      return absl::StrCat("[call ", part.tool_call().tool_call_id(), "] ", part.tool_call().name(),
                          "(", part.tool_call().arguments(), ")");
    case v1::Part::kToolResult:
      return absl::StrCat("[", part.tool_result().is_error() ? "failure" : "result", " of ",
                          part.tool_result().tool_call_id(), "] ", part.tool_result().content());
    case v1::Part::kReasoning:
      if (!part.reasoning().text().empty()) return "[reasoning] " + part.reasoning().text();
      return absl::StrCat("[reasoning, opaque: ", part.reasoning().opaque().kind(), " ",
                          format_bytes(part.reasoning().opaque().data().size()), "]");
    case v1::Part::KIND_NOT_SET:
      break;
  }
  return "[empty part]";
}

void print_line(std::ostream& out, const std::string& text) {
  out << indented(printable(text, true), 2) << '\n';
}

}  // namespace

std::string Style::bold(const std::string& text) const {
  return colour ? "\033[1m" + text + "\033[0m" : text;
}

std::string Style::dim(const std::string& text) const {
  return colour ? "\033[2m" + text + "\033[0m" : text;
}

std::string Style::role(v1::Role role) const {
  const std::string name = role_name(role);
  if (!colour) return name;
  switch (role) {
    case v1::ROLE_USER:
      return "\033[1;32m" + name + "\033[0m";
    case v1::ROLE_ASSISTANT:
      return "\033[1;36m" + name + "\033[0m";
    case v1::ROLE_TOOL:
      return "\033[1;35m" + name + "\033[0m";
    default:
      return "\033[1;33m" + name + "\033[0m";
  }
}

std::string role_name(v1::Role role) {
  const std::string name = v1::Role_Name(role);
  return name.empty() ? absl::StrCat("role ", static_cast<int>(role))
                      : absl::AsciiStrToLower(name.substr(name.rfind('_') + 1));
}

std::string format_time(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0) return "";
  std::string text = google::protobuf::util::TimeUtil::ToString(time);
  if (text.size() > 10 && text[10] == 'T') text[10] = ' ';
  return text;
}

std::string format_money(const v1::Money& money) {
  const bool negative = money.units() < 0 || money.nanos() < 0;
  const uint64_t units = money.units() < 0 ? 0 - static_cast<uint64_t>(money.units())
                                           : static_cast<uint64_t>(money.units());
  std::string text =
      absl::StrFormat("%s%d.%09d", negative ? "-" : "", units, std::abs(money.nanos()));
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return absl::StrCat(text, " ", printable(money.currency_code(), false));
}

std::string format_usage(const v1::TokenUsage& usage) {
  if (usage.ByteSizeLong() == 0) return "";
  std::string text =
      absl::StrCat(count(usage.prompt_tokens()), " prompt + ", count(usage.completion_tokens()),
                   " completion = ", count(usage.total_tokens()), " tokens");
  std::vector<std::string> parts;
  const auto part = [&parts](int64_t tokens, const char* name) {
    if (tokens != 0) parts.push_back(absl::StrCat(count(tokens), " ", name));
  };
  part(usage.cached_tokens(), "cached");
  part(usage.cache_write_tokens(), "written to cache");
  part(usage.reasoning_tokens(), "reasoning");
  if (!parts.empty()) absl::StrAppend(&text, " (", absl::StrJoin(parts, ", "), ")");
  return text;
}

void print_fields(std::ostream& out, const Fields& fields, const Style& style) {
  size_t widest = 0;
  for (const auto& [name, value] : fields) {
    if (!value.empty()) widest = std::max(widest, name.size());
  }
  for (const auto& [name, value] : fields) {
    if (!value.empty()) out << style.dim(fit(name, widest)) << "  " << value << '\n';
  }
}

void print_message(std::ostream& out, const v1::Message& message, const Style& style) {
  const auto aside = [&](const std::string& text) { return style.dim(printable(text, false)); };
  out << style.bold(absl::StrCat("#", message.sequence())) << ' ' << style.role(message.role());
  if (!message.name().empty()) out << ' ' << printable(message.name(), false);
  out << "  " << style.dim(format_time(message.create_time()));
  if (!message.model().empty()) out << "  " << aside(message.model());
  if (message.pinned()) out << "  " << style.dim("pinned");
  if (!message.source_time().empty()) out << "  " << aside("said " + message.source_time());
  out << '\n';
  if (message.has_content()) print_line(out, message.content());
  for (const auto& part : message.parts()) print_line(out, part_text(part));
  std::vector<std::string> costs;
  if (const auto usage = format_usage(message.usage()); !usage.empty()) costs.push_back(usage);
  if (message.has_cost()) costs.push_back(format_money(message.cost()));
  if (!costs.empty()) out << "  " << style.dim(absl::StrJoin(costs, ", ")) << '\n';
  if (message.metadata().fields_size() > 0) {
    out << "  " << aside("metadata " + shown_as_json(message.metadata())) << '\n';
  }
}

void print_conversation(std::ostream& out, const v1::Conversation& conversation,
                        const Style& style) {
  const auto& origin = conversation.fork_origin();
  const int64_t reset = conversation.reset_version();
  print_fields(out,
               {{"thread", style.bold(printable(conversation.thread_id(), false))},
                {"user", printable(conversation.user_id(), false)},
                {"title", printable(conversation.title(), false)},
                {"state", state_name(conversation.state())},
                {"version", std::to_string(conversation.version())},
                {"messages",
                 absl::StrCat(count(conversation.message_count()), ", ",
                              format_bytes(static_cast<uint64_t>(conversation.message_bytes())))},
                {"created", format_time(conversation.create_time())},
                {"last activity", format_time(conversation.last_activity_time())},
                {"labels", format_labels(conversation)},
                {"usage", format_usage(conversation.usage())},
                {"cost", format_amounts(conversation.cost())},
                {"metadata", conversation.metadata().fields_size() > 0
                                 ? printable(shown_as_json(conversation.metadata()), false)
                                 : ""},
                {"last reset", reset > 0 ? absl::StrCat("version ", reset) : ""},
                {"fork of", conversation.has_fork_origin()
                                ? absl::StrCat(printable(origin.thread_id(), false), " at message ",
                                               origin.sequence())
                                : ""}},
               style);
  for (const auto& message : conversation.messages()) {
    out << '\n';
    print_message(out, message, style);
  }
}

void print_usage(std::ostream& out, const v1::GetUsageResponse& usage, const Style& style) {
  const std::string total = format_usage(usage.total());
  print_fields(out,
               {{"total", total.empty() ? "no tokens recorded" : total},
                {"cost", format_amounts(usage.total_cost())},
                {"version", std::to_string(usage.version())}},
               style);
  Table models({"MODEL", "COST", "TOKENS"});
  for (const auto& model : usage.by_model()) {
    models.add({model.model().empty() ? "-" : model.model(), format_amounts(model.cost()),
                format_usage(model.usage())});
  }
  if (usage.by_model_size() > 0) {
    out << '\n';
    models.print(out, style);
  }
  Table history({"VERSION", "TIME", "MESSAGE", "MODEL", "COST", "TOKENS"});
  for (const auto& record : usage.records()) {
    history.add({std::to_string(record.version()), format_time(record.time()),
                 record.sequence() > 0 ? absl::StrCat("#", record.sequence()) : "-",
                 record.model().empty() ? "-" : record.model(),
                 record.has_cost() ? format_money(record.cost()) : "-",
                 format_usage(record.usage())});
  }
  if (usage.records_size() > 0) {
    out << '\n';
    history.print(out, style);
  }
}

void print_backup(std::ostream& out, const v1::Backup& backup, const Style& style) {
  print_fields(out,
               {{"backup", style.bold(std::to_string(backup.backup_id()))},
                {"taken", format_time(backup.create_time())},
                {"size", format_bytes(static_cast<uint64_t>(backup.size_bytes()))},
                {"files", count(backup.file_count())},
                {"directory", printable(backup.directory(), false)}},
               style);
}

void Table::print(std::ostream& out, const Style& style, bool with_titles) const {
  std::vector<size_t> widths(rows_.front().size(), 0);
  std::vector<std::vector<std::string>> shown = rows_;
  for (auto& row : shown) {
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = printable(row[i], false);
      widths[i] = std::max(widths[i], std::min(k_cell_columns_max, display_width(row[i])));
    }
  }
  for (size_t r = with_titles ? 0 : 1; r < shown.size(); ++r) {
    std::string line;
    for (size_t i = 0; i < shown[r].size(); ++i) {
      const bool last = i + 1 == shown[r].size();
      absl::StrAppend(&line, last ? shown[r][i] : fit(shown[r][i], widths[i]) + "  ");
    }
    out << (r == 0 ? style.bold(line) : line) << '\n';
  }
}

Table conversation_table() {
  return Table({"THREAD", "USER", "MESSAGES", "VERSION", "LAST ACTIVITY", "STATE", "TITLE"});
}

void add_row(Table& table, const v1::Conversation& conversation) {
  table.add({conversation.thread_id(),
             conversation.user_id().empty() ? "-" : conversation.user_id(),
             count(conversation.message_count()), std::to_string(conversation.version()),
             format_time(conversation.last_activity_time()), state_name(conversation.state()),
             conversation.title()});
}

}  // namespace parley::cli
