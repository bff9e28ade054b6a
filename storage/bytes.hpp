#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Big-endian numbers in keys and small records.
namespace parley {

template <std::unsigned_integral T>
void put_big(std::string& out, T value) {
  for (size_t i = sizeof(T); i > 0; --i) {
    out.push_back(static_cast<char>(static_cast<uint8_t>(value >> (8 * (i - 1)))));
  }
}

/// Takes a number off the front; nothing where too few bytes are left.
template <std::unsigned_integral T>
std::optional<T> take_big(std::string_view& in) {
  if (in.size() < sizeof(T)) return std::nullopt;
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value = value << 8 | static_cast<uint8_t>(in[i]);
  in.remove_prefix(sizeof(T));
  return static_cast<T>(value);
}

}  // namespace parley
