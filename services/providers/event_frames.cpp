#include "services/providers/event_frames.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <zlib.h>

#include "absl/strings/str_cat.h"

namespace parley {
namespace {

// A message: its length, that of its headers, a checksum of these two, headers, payload, and a
// checksum of it all; integers big-endian.
constexpr size_t k_prelude_bytes = 12;
constexpr size_t k_checksum_bytes = 4;
constexpr size_t k_message_bytes_max = 24U << 20;

/// Reads from the front; false once there was too little.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  uint64_t number(size_t bytes) {
    uint64_t value = 0;
    for (const char byte : take(bytes)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }
  std::string_view take(size_t bytes) {
    good_ = good_ && bytes <= left_.size();
    if (!good_) return {};
    const std::string_view taken = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return taken;
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool done() const { return left_.empty(); }

 private:
  std::string_view left_;
  bool good_ = true;
};

uint32_t checksum(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

/// How many bytes a value of that type has; nothing where it says so itself, or is unknown.
std::optional<size_t> fixed_size(uint64_t type) {
  switch (type) {
    case 0:
    case 1:
      return 0;  // true, false
    case 2:
      return 1;
    case 3:
      return 2;
    case 4:
      return 4;
    case 5:
    case 8:
      return 8;  // an integer, a time
    case 9:
      return 16;
    default:
      return std::nullopt;
  }
}

bool read_headers(std::string_view bytes, std::map<std::string, std::string>& headers) {
  constexpr uint64_t k_bytes = 6;
  constexpr uint64_t k_text = 7;
  Reader in(bytes);
  while (in.good() && !in.done()) {
    const std::string name(in.take(in.number(1)));
    const uint64_t type = in.number(1);
    if (const auto size = fixed_size(type)) {
      in.take(*size);
    } else if (type == k_bytes || type == k_text) {
      const std::string_view value = in.take(in.number(2));
      if (type == k_text) headers.emplace(name, value);
    } else {
      return false;
    }
  }
  return in.good();
}

}  // namespace

Result<std::vector<EventFrame>> event_frames(std::string_view bytes) {
  std::vector<EventFrame> frames;
  size_t at = 0;
  const auto damaged = [&at](const char* what) {
    return absl::InvalidArgumentError(absl::StrCat("no AWS event stream: ", what, " at byte ", at));
  };
  while (bytes.size() - at >= k_prelude_bytes) {
    const std::string_view here = bytes.substr(at);
    Reader prelude(here);
    const uint64_t length = prelude.number(4);
    const uint64_t header_bytes = prelude.number(4);
    if (prelude.number(4) != checksum(here.substr(0, 8))) return damaged("a wrong checksum");
    if (length > k_message_bytes_max ||
        length < k_prelude_bytes + header_bytes + k_checksum_bytes) {
      return damaged("a wrong length");
    }
    if (here.size() < length) break;
    const std::string_view body = here.substr(0, length - k_checksum_bytes);
    Reader tail(here.substr(body.size()));
    if (tail.number(4) != checksum(body)) return damaged("a wrong checksum of a message");
    EventFrame frame;
    if (!read_headers(body.substr(k_prelude_bytes, header_bytes), frame.headers)) {
      return damaged("unreadable headers");
    }
    frame.payload = body.substr(k_prelude_bytes + header_bytes);
    frames.push_back(std::move(frame));
    at += length;
  }
  return frames;
}

}  // namespace parley
