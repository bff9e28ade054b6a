#include "base/log.hpp"

#include <memory>
#include <string>
#include <unistd.h>
#include <utility>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace parley {
namespace {

/// Whatever is logged, a line is one JSON object and one line.
class EscapedMessage final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string escaped =
        escape_json({message.payload.data(), static_cast<size_t>(message.payload.size())});
    out.append(escaped.data(), escaped.data() + escaped.size());
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return spdlog::details::make_unique<EscapedMessage>();
  }
};

/// The bytes of the character that `text` begins with; 0 where they are not UTF-8.
size_t character_bytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Neither longer than need be, nor half of a pair, nor beyond the last one.
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool none = (first == 0xed && byte(1) > 0x9f) || (first == 0xf4 && byte(1) > 0x8f);
  return overlong || none ? 0 : size;
}

std::unique_ptr<spdlog::formatter> json_lines() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<EscapedMessage>('*').set_pattern(
      R"({"ts":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","msg":"%*"})");
  return formatter;
}

}  // namespace

std::string escape_json(std::string_view text) {
  static constexpr char k_hex[] = "0123456789abcdef";
  std::string escaped;
  escaped.reserve(text.size());
  while (!text.empty()) {
    const char c = text.front();
    const auto byte = static_cast<unsigned char>(c);
    const size_t size = character_bytes(text);
    if (size == 0) {
      escaped.append("\\ufffd");
    } else if (c == '"' || c == '\\') {
      escaped.append({'\\', c});
    } else if (byte < 0x20 || byte == 0x7f) {
      escaped.append("\\u00").append({k_hex[byte >> 4], k_hex[byte & 15]});
    } else {
      escaped.append(text.substr(0, size));
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return escaped;
}

void start_logging(spdlog::level::level_enum level) {
  auto logger =
      std::make_shared<spdlog::logger>("parley", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(level);
  logger->flush_on(spdlog::level::info);
  if (isatty(STDERR_FILENO)) {
    logger->set_pattern("%H:%M:%S.%e %^%-5l%$ %v");
  } else {
    logger->set_formatter(json_lines());
  }
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace parley
