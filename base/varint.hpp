#pragma once

#include <cstddef>
#include <cstdint>

/// Variable-length integers as protobuf writes them, for what is encoded by hand.
namespace parley {

/// Bytes that `value` takes: 1 to 10.
constexpr size_t varint_size(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

/// Answers the place behind it.
inline char* put_varint(uint64_t value, char* at) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at++ = static_cast<char>(value);
  return at;
}

}  // namespace parley
