#include "services/cli/arguments.hpp"

#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/time_util.h"

#include "base/ids.hpp"

namespace parley::cli {

Result<v1::Role> parse_role(const std::string& text) {
  v1::Role role = v1::ROLE_UNSPECIFIED;
  if (v1::Role_Parse("ROLE_" + absl::AsciiStrToUpper(text), &role) &&
      role != v1::ROLE_UNSPECIFIED) {
    return role;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not a role; use user, assistant, system or tool"));
}

Result<v1::ConversationState> parse_state(const std::string& text) {
  v1::ConversationState state = v1::CONVERSATION_STATE_UNSPECIFIED;
  if (v1::ConversationState_Parse("CONVERSATION_STATE_" + absl::AsciiStrToUpper(text), &state) &&
      state != v1::CONVERSATION_STATE_UNSPECIFIED) {
    return state;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not a state; use active or archived"));
}

Result<std::pair<std::string, std::string>> parse_label(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not a label; write key=value"));
  }
  return std::make_pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<v1::Money> parse_money(const std::string& text) {
  const Status refused = absl::InvalidArgumentError(absl::StrCat(
      "'", text, "' is not an amount; write one such as '0.0125 USD', at most nine decimals"));
  std::string number;
  std::string currency;
  for (const char c : text) {
    if (absl::ascii_isalpha(static_cast<unsigned char>(c))) {
      currency.push_back(absl::ascii_toupper(static_cast<unsigned char>(c)));
    } else if (c != ' ' && c != ':') {
      number.push_back(c);
    }
  }
  const bool negative = !number.empty() && number.front() == '-';
  if (negative) number.erase(0, 1);
  const size_t point = number.find('.');
  const std::string whole = number.substr(0, point);
  std::string decimals = point == std::string::npos ? "0" : number.substr(point + 1);
  if (currency.size() != 3 || whole.empty() || decimals.empty() || decimals.size() > 9) {
    return refused;
  }
  if ((whole + decimals).find_first_not_of("0123456789") != std::string::npos) return refused;
  decimals.resize(9, '0');
  int64_t units = 0;
  int32_t nanos = 0;
  if (!absl::SimpleAtoi(whole, &units) || !absl::SimpleAtoi(decimals, &nanos)) return refused;
  v1::Money money;
  money.set_currency_code(currency);
  money.set_units(negative ? -units : units);
  money.set_nanos(negative ? -nanos : nanos);
  return money;
}

Status parse_time(const std::string& text, google::protobuf::Timestamp* time) {
  if (google::protobuf::util::TimeUtil::FromString(text, time)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not a time; write one such as 2024-05-01T12:00:00Z"));
}

Status parse_json(const std::string& text, google::protobuf::Message* message) {
  const auto parsed = google::protobuf::util::JsonStringToMessage(text, message);
  if (parsed.ok()) return absl::OkStatus();
  const std::string why(parsed.message().data(), parsed.message().size());
  return absl::InvalidArgumentError(
      absl::StrCat("is not the JSON of a ", message->GetDescriptor()->name(), ": ", why));
}

std::string fresh_request_id() {
  // Why seeded once: asking the system for each byte would slow a load of many calls.
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(),
                       device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  Id128 id;
  for (auto& byte : id.bytes) byte = static_cast<uint8_t>(random() >> 24 & 0xFFu);
  id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0Fu) | 0x40u);
  id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3Fu) | 0x80u);
  return format_uuid(id);
}

}  // namespace parley::cli
