#pragma once

#include <string>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/message_lite.h"

#include "base/check.hpp"

namespace parley {

/// Appends the encoding that is the same for equal messages: maps in the order of their keys. Equal
/// bytes for equal requests are what makes a repetition recognisable.
inline void append_deterministic(const google::protobuf::MessageLite& message, std::string& out) {
  const size_t before = out.size();
  const size_t size = message.ByteSizeLong();
  out.resize(before + size);
  auto* const begin = reinterpret_cast<uint8_t*>(out.data()) + before;
  google::protobuf::io::EpsCopyOutputStream stream(begin, static_cast<int>(size),
                                                   /*deterministic=*/true);
  const uint8_t* const end = message._InternalSerialize(begin, &stream);
  PARLEY_CHECK(end == begin + size);
}

inline std::string deterministic_bytes(const google::protobuf::MessageLite& message) {
  std::string bytes;
  append_deterministic(message, bytes);
  return bytes;
}

}  // namespace parley
