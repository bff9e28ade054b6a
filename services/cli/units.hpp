#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace parley::cli {

using Micros = std::chrono::microseconds;

/// "30s", "1.5s", "500ms", "2m", "1h"; a bare number is seconds. Not negative.
Result<Micros> parse_duration(const std::string& text);
/// "200", "64k", "4MiB", "1G"; powers of 1,024.
Result<uint64_t> parse_size(const std::string& text);

/// Three significant digits and a unit: "830 us", "12.3 ms", "4.20 s", "2 min 05 s", "3 h 20 min".
std::string format_duration(Micros duration);
/// "512 B", "1.50 KiB", "30.8 MiB".
std::string format_bytes(uint64_t bytes);
/// "14,805".
std::string format_count(uint64_t count);

}  // namespace parley::cli
