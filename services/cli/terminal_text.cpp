#include "services/cli/terminal_text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/str_format.h"

namespace parley::cli {
namespace {

struct Character {
  uint32_t code = 0;
  size_t bytes = 1;
  bool valid = false;
};

Character decode(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(at);
  if (lead < 0x80) return {lead, 1, true};
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || at + bytes > text.size()) return {};
  uint32_t code = lead & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(at + i) & 0x3Fu);
  }
  static constexpr std::array<uint32_t, 5> k_least = {0, 0, 0x80, 0x800, 0x10000};
  if (code < k_least[bytes] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {};
  return {code, bytes, true};
}

/// C0, C1 and what reorders or hides text (bidirectional overrides).
bool steers_terminal(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

struct Range {
  uint32_t first, last;
};

bool within(uint32_t code, const Range* begin, const Range* end) {
  return std::any_of(begin, end, [code](Range r) { return code >= r.first && code <= r.last; });
}

size_t columns_of(uint32_t code) {
  static constexpr std::array k_none = {
      Range{0x300, 0x36F},   Range{0x483, 0x489},   Range{0x591, 0x5BD},   Range{0x610, 0x61A},
      Range{0x64B, 0x65F},   Range{0x93C, 0x93C},   Range{0x941, 0x948},   Range{0x94D, 0x94D},
      Range{0x9BC, 0x9BC},   Range{0x9CD, 0x9CD},   Range{0xE31, 0xE31},   Range{0xE34, 0xE3A},
      Range{0x200B, 0x200F}, Range{0x20D0, 0x20F0}, Range{0xFE00, 0xFE0F}, Range{0xFE20, 0xFE2F}};
  static constexpr std::array k_wide = {
      Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},   Range{0x3041, 0xA4CF},
      Range{0xA960, 0xA97F},   Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},
      Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},
      Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1F6FF}, Range{0x1F900, 0x1FAFF},
      Range{0x20000, 0x3FFFD}};
  if (within(code, k_none.begin(), k_none.end())) return 0;
  return within(code, k_wide.begin(), k_wide.end()) ? 2 : 1;
}

}  // namespace

std::string printable(const std::string& text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Character c = decode(text, at);
    if (!c.valid) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<uint8_t>(text[at]));
    } else if (keep_lines && (c.code == '\n' || c.code == '\t')) {
      out.push_back(text[at]);
    } else if (steers_terminal(c.code)) {
      out += c.code == '\n' ? "\\n" : c.code == '\t' ? "\\t" : absl::StrFormat("\\u%04x", c.code);
    } else {
      out.append(text, at, c.bytes);
    }
    at += c.bytes;
  }
  return out;
}

size_t display_width(const std::string& text) {
  size_t width = 0;
  for (size_t at = 0; at < text.size();) {
    const Character c = decode(text, at);
    width += columns_of(c.code);
    at += c.bytes;
  }
  return width;
}

std::string fit(const std::string& text, size_t columns) {
  const size_t width = display_width(text);
  if (width <= columns) return text + std::string(columns - width, ' ');
  std::string out;
  size_t used = 0;
  for (size_t at = 0; at < text.size();) {
    const Character c = decode(text, at);
    const size_t wide = columns_of(c.code);
    if (used + wide + 1 > columns) break;
    out.append(text, at, c.bytes);
    used += wide;
    at += c.bytes;
  }
  if (used < columns) {
    out += "…";
    ++used;
  }
  return out + std::string(columns - used, ' ');
}

std::string indented(const std::string& text, size_t columns) {
  const std::string margin(columns, ' ');
  std::string out = margin;
  for (size_t at = 0; at < text.size(); ++at) {
    out.push_back(text[at]);
    if (text[at] == '\n' && at + 1 < text.size()) out += margin;
  }
  return out;
}

}  // namespace parley::cli
