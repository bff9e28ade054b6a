#include "services/cli/units.hpp"

#include <array>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace parley::cli {
namespace {

/// "1.5 s" cut into 1.5 and "s". False where it does not begin with a number of zero or more.
bool split_number(const std::string& text, double* number, std::string* unit) {
  const size_t end = text.find_first_not_of("0123456789.");
  const std::string digits = text.substr(0, end);
  if (!absl::SimpleAtod(digits, number) || !std::isfinite(*number)) return false;
  *unit = end == std::string::npos
              ? ""
              : std::string(absl::StripAsciiWhitespace(absl::string_view(text).substr(end)));
  return true;
}

/// Three significant digits where there is a fraction to show.
std::string three_digits(double value) {
  if (value >= 100) return absl::StrFormat("%.0f", value);
  return value >= 10 ? absl::StrFormat("%.1f", value) : absl::StrFormat("%.2f", value);
}

}  // namespace

Result<Micros> parse_duration(const std::string& text) {
  struct Unit {
    const char* name;
    double micros;
  };
  static constexpr std::array k_units = {Unit{"", 1e6},   Unit{"s", 1e6},  Unit{"ms", 1e3},
                                         Unit{"us", 1},   Unit{"m", 60e6}, Unit{"min", 60e6},
                                         Unit{"h", 3.6e9}};
  double number = 0;
  std::string name;
  if (split_number(text, &number, &name)) {
    for (const Unit& unit : k_units) {
      if (name != unit.name) continue;
      const double micros = number * unit.micros;
      if (micros < 9e18) return Micros(std::llround(micros));
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not a duration; write one such as 500ms, 30s, 2m or 1h"));
}

Result<uint64_t> parse_size(const std::string& text) {
  double number = 0;
  std::string unit;
  if (split_number(text, &number, &unit)) {
    unit = absl::AsciiStrToLower(unit);
    if (unit.size() > 1 && unit.back() == 'b') unit.pop_back();
    if (unit.size() > 1 && unit.back() == 'i') unit.pop_back();
    static const std::string k_letters = "bkmgt";
    const size_t power = unit.empty() ? 0 : k_letters.find(unit);
    if (power != std::string::npos && unit.size() < 2) {
      const double bytes = number * std::pow(1024.0, static_cast<double>(power));
      if (bytes < 9e18) return static_cast<uint64_t>(bytes);
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not a size; write bytes, or one such as 64k, 4MiB or 1G"));
}

std::string format_duration(Micros duration) {
  const int64_t micros = duration.count();
  const auto value = static_cast<double>(micros);
  if (micros < 1'000) return absl::StrCat(micros, " us");
  if (micros < 1'000'000) return absl::StrCat(three_digits(value / 1e3), " ms");
  if (micros < 60'000'000) return absl::StrCat(three_digits(value / 1e6), " s");
  const int64_t seconds = micros / 1'000'000;
  if (seconds < 3600) return absl::StrFormat("%d min %02d s", seconds / 60, seconds % 60);
  return absl::StrFormat("%d h %02d min", seconds / 3600, seconds % 3600 / 60);
}

std::string format_bytes(uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  static constexpr std::array k_names = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes) / 1024;
  size_t power = 0;
  while (value >= 1024 && power + 1 < k_names.size()) {
    value /= 1024;
    ++power;
  }
  return absl::StrCat(three_digits(value), " ", k_names[power]);
}

std::string format_count(uint64_t count) {
  std::string text = std::to_string(count);
  for (int64_t at = static_cast<int64_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<size_t>(at), 1, ',');
  }
  return text;
}

}  // namespace parley::cli
