#include "base/log.hpp"

#include <unistd.h>

#include <spdlog/sinks/stdout_sinks.h>

namespace parley {

void start_logging(spdlog::level::level_enum level) {
  auto logger = std::make_shared<spdlog::logger>(
      "parley", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(level);
  logger->flush_on(spdlog::level::info);
  logger->set_pattern(isatty(STDERR_FILENO)
                          ? "%H:%M:%S.%e %^%-5l%$ %v"
                          : R"({"ts":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","msg":"%v"})",
                      spdlog::pattern_time_type::utc);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace parley
