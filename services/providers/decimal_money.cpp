#include "services/providers/decimal_money.hpp"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace parley {
namespace {

constexpr int k_nano_digits = 9;
constexpr int64_t k_nanos_per_unit = 1'000'000'000;
constexpr int k_exponent_max = 40;

/// Digits, and how many of them stand behind the point.
struct Decimal {
  std::string digits;
  int behind = 0;
};

std::optional<Decimal> parse(std::string_view text) {
  Decimal decimal;
  bool point = false;
  size_t at = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (absl::ascii_isdigit(c)) {
      decimal.digits += c;
      decimal.behind += point ? 1 : 0;
    } else if (c == '.' && !point) {
      point = true;
    } else {
      break;
    }
  }
  if (decimal.digits.empty()) return std::nullopt;
  if (at < text.size()) {
    int exponent = 0;
    const bool has_exponent = text[at] == 'e' || text[at] == 'E';
    if (!has_exponent || !absl::SimpleAtoi(std::string(text.substr(at + 1)), &exponent))
      return std::nullopt;
    if (exponent < -k_exponent_max || exponent > k_exponent_max) return std::nullopt;
    decimal.behind -= exponent;
  }
  return decimal;
}

}  // namespace

std::optional<Money> dollars(std::string_view decimal, int power) {
  auto parsed = parse(decimal);
  if (!parsed) return std::nullopt;
  std::string& digits = parsed->digits;
  // Digits below the last one that counts; below zero: zeros that are missing.
  const int surplus = parsed->behind - power - k_nano_digits;
  bool round_up = false;
  if (surplus > 0) {
    const auto cut = static_cast<size_t>(surplus);
    round_up = cut <= digits.size() && digits[digits.size() - cut] >= '5';
    digits.resize(digits.size() - std::min(cut, digits.size()));
  } else {
    digits.append(static_cast<size_t>(-surplus), '0');
  }
  uint64_t nanos = 0;
  digits.erase(0, digits.find_first_not_of('0'));
  if (!digits.empty() && !absl::SimpleAtoi(digits, &nanos)) return std::nullopt;
  if (nanos > INT64_MAX - 1) return std::nullopt;
  nanos += round_up ? 1 : 0;
  return Money{"USD", static_cast<int64_t>(nanos / k_nanos_per_unit),
               static_cast<int32_t>(nanos % k_nanos_per_unit)};
}

}  // namespace parley
