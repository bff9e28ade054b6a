#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace parley::postgres {

/// Types of PostgreSQL that parameters and columns have, by their object ids, which never change.
enum class Type : uint32_t {
  boolean = 16,
  bytes = 17,
  int8 = 20,
  int4 = 23,
  text = 25,
  time = 1184,
  uuid = 2950,
};
/// Of an array of it.
uint32_t array_id(Type element);

/// From 1970 to 2000, from where PostgreSQL counts.
inline constexpr int64_t k_epoch_micros = 946'684'800'000'000;

/// Values as the wire protocol has them in its binary format.
std::string boolean_value(bool value);
std::string int4_value(int32_t value);
std::string int8_value(int64_t value);
/// A time that PostgreSQL can hold: what is outside of its years is moved to their edge.
std::string time_value(WallTime value);
/// What PostgreSQL takes as text: UTF-8 without a NUL, in whose place U+FFFD stands.
std::string text_value(std::string_view value);

/// One parameter that is an array.
class Array {
 public:
  explicit Array(Type element) : element_(element) {}

  void add(std::string_view value);
  void add_null();
  /// Null where there is none.
  void add_if(const std::optional<std::string>& value) {
    if (!value) return add_null();
    add(*value);
  }
  [[nodiscard]] Type element() const { return element_; }
  [[nodiscard]] std::string encoded() const;

 private:
  const Type element_;
  int32_t count_ = 0;
  bool nulls_ = false;
  std::string elements_;
};

/// The parameters of one statement, $1 first.
class Parameters {
 public:
  Parameters& boolean(bool value) { return add(Type::boolean, boolean_value(value)); }
  Parameters& int4(int32_t value) { return add(Type::int4, int4_value(value)); }
  Parameters& int8(int64_t value) { return add(Type::int8, int8_value(value)); }
  Parameters& int8(std::optional<int64_t> value);
  Parameters& text(std::string_view value) { return add(Type::text, text_value(value)); }
  Parameters& bytes(std::string_view value) { return add(Type::bytes, std::string(value)); }
  Parameters& uuid(const Id128& value) { return add(Type::uuid, std::string(value.view())); }
  Parameters& time(WallTime value) { return add(Type::time, time_value(value)); }
  Parameters& array(const Array& value);

  [[nodiscard]] int count() const { return static_cast<int>(values_.size()); }
  [[nodiscard]] const std::vector<uint32_t>& types() const { return types_; }
  [[nodiscard]] const std::vector<std::optional<std::string>>& values() const { return values_; }

 private:
  Parameters& add(Type type, std::optional<std::string> value);

  std::vector<uint32_t> types_;
  std::vector<std::optional<std::string>> values_;
};

}  // namespace parley::postgres
