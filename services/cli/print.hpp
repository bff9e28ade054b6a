#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "parley/v1/admin.pb.h"
#include "parley/v1/conversation.pb.h"

namespace parley::cli {

/// Answers as people read them. All text of strangers is made safe to show (terminal_text.hpp).

struct Style {
  bool colour = false;
  [[nodiscard]] std::string bold(const std::string& text) const;
  [[nodiscard]] std::string dim(const std::string& text) const;
  /// The colour of a role.
  [[nodiscard]] std::string role(v1::Role role) const;
};

/// Names and values under one another; pairs with an empty value are left out.
using Fields = std::vector<std::pair<std::string, std::string>>;
void print_fields(std::ostream& out, const Fields& fields, const Style& style);

/// Header and messages.
void print_conversation(std::ostream& out, const v1::Conversation& conversation,
                        const Style& style);
void print_message(std::ostream& out, const v1::Message& message, const Style& style);
void print_usage(std::ostream& out, const v1::GetUsageResponse& usage, const Style& style);
void print_backup(std::ostream& out, const v1::Backup& backup, const Style& style);

/// Columns as wide as their widest cell, but not above 48; the last one is never cut.
class Table {
 public:
  explicit Table(std::vector<std::string> titles) { rows_.push_back(std::move(titles)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print(std::ostream& out, const Style& style, bool with_titles = true) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};
Table conversation_table();
void add_row(Table& table, const v1::Conversation& conversation);

/// "2024-05-01 12:00:00.123Z"; empty for none.
std::string format_time(const google::protobuf::Timestamp& time);
/// "0.0125 USD", exact.
std::string format_money(const v1::Money& money);
/// "120 prompt + 30 completion = 150 tokens (100 cached)"; empty where all is zero.
std::string format_usage(const v1::TokenUsage& usage);
/// "user", "assistant".
std::string role_name(v1::Role role);

}  // namespace parley::cli
