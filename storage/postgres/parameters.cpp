#include "storage/postgres/parameters.hpp"

#include <algorithm>
#include <utility>

#include "storage/bytes.hpp"

namespace parley::postgres {
namespace {

/// From the year 4713 BC to 294276, roughly: what a timestamp holds.
constexpr int64_t k_earliest_micros = -210'866'803'200'000'000;
constexpr int64_t k_latest_micros = 9'223'371'331'200'000'000;
constexpr std::string_view k_no_nul = "\xef\xbf\xbd";

}  // namespace

uint32_t array_id(Type element) {
  switch (element) {
    case Type::boolean:
      return 1000;
    case Type::bytes:
      return 1001;
    case Type::int4:
      return 1007;
    case Type::text:
      return 1009;
    case Type::int8:
      return 1016;
    case Type::time:
      return 1185;
    case Type::uuid:
      return 2951;
  }
  return 0;
}

std::string boolean_value(bool value) { return std::string(1, value ? '\1' : '\0'); }

std::string int4_value(int32_t value) {
  std::string out;
  put_big<uint32_t>(out, static_cast<uint32_t>(value));
  return out;
}

std::string int8_value(int64_t value) {
  std::string out;
  put_big<uint64_t>(out, static_cast<uint64_t>(value));
  return out;
}

std::string time_value(WallTime value) {
  const int64_t micros =
      std::clamp(value.micros, k_earliest_micros + k_epoch_micros, k_latest_micros);
  return int8_value(micros - k_epoch_micros);
}

std::string text_value(std::string_view value) {
  if (value.find('\0') == std::string_view::npos) return std::string(value);
  std::string out;
  for (const char byte : value) {
    if (byte == '\0') {
      out += k_no_nul;
    } else {
      out.push_back(byte);
    }
  }
  return out;
}

void Array::add(std::string_view value) {
  ++count_;
  put_big<uint32_t>(elements_, static_cast<uint32_t>(value.size()));
  elements_.append(value);
}

void Array::add_null() {
  ++count_;
  nulls_ = true;
  put_big<uint32_t>(elements_, UINT32_MAX);
}

/// Dimensions, whether nulls are in it, type, length, lower bound, then the elements.
std::string Array::encoded() const {
  std::string out;
  put_big<uint32_t>(out, count_ == 0 ? 0 : 1);
  put_big<uint32_t>(out, nulls_ ? 1 : 0);
  put_big<uint32_t>(out, static_cast<uint32_t>(element_));
  if (count_ == 0) return out;
  put_big<uint32_t>(out, static_cast<uint32_t>(count_));
  put_big<uint32_t>(out, 1);
  return out + elements_;
}

Parameters& Parameters::int8(std::optional<int64_t> value) {
  return add(Type::int8, value ? std::optional(int8_value(*value)) : std::nullopt);
}

Parameters& Parameters::array(const Array& value) {
  types_.push_back(array_id(value.element()));
  values_.emplace_back(value.encoded());
  return *this;
}

Parameters& Parameters::add(Type type, std::optional<std::string> value) {
  types_.push_back(static_cast<uint32_t>(type));
  values_.push_back(std::move(value));
  return *this;
}

}  // namespace parley::postgres
