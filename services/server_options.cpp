#include "services/server_options.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.hpp"

namespace parley {
namespace {

/// What a record of the log holds beside the request that it came from.
constexpr size_t k_record_slack_bytes = 128U << 10;
/// A statement is given up after as long, at least.
constexpr int64_t k_statement_ms_min = 3'000;

}  // namespace

Budget share_out(int64_t bytes) { return {bytes * 3 / 8, bytes / 4}; }

LocalOptions storage_options(const Config& config, std::function<void(std::string)> on_fatal) {
  LocalOptions options;
  options.data_dir = config.data_dir;
  options.backup_dir = config.backup_dir;
  options.shard_count = config.shard_count;
  options.memory_bytes = static_cast<size_t>(share_out(config.memory_budget_bytes).storage);
  options.log_segment_bytes = static_cast<uint64_t>(config.log_segment_bytes);
  options.disk_floor_bytes = static_cast<uint64_t>(config.disk_floor_bytes);
  options.scrub_every = std::chrono::seconds(config.scrub_seconds);
  options.limits = config.limits;
  options.on_fatal = std::move(on_fatal);
  return options;
}

PostgresOptions database_options(const Config& config) {
  PostgresOptions options;
  options.connection.statement_max =
      std::chrono::milliseconds(std::max(config.lease_ms, k_statement_ms_min));
  options.shard_count = config.shard_count;
  options.accept_async_loss = config.accept_async_loss;
  options.limits = config.limits;
  return options;
}

std::vector<postgres::ConnectionOptions> lease_connections(const Config& config) {
  std::vector<postgres::ConnectionOptions> connections;
  for (const std::string& url : config.journals) {
    auto connection = database_options(config).connection;
    connection.url = url;
    // An answer that comes later than this is of no use to a lease.
    connection.statement_max = std::chrono::milliseconds(config.lease_ms / 2);
    connections.push_back(std::move(connection));
  }
  return connections;
}

LeaseTimes lease_times(const Config& config) {
  const int64_t micros = config.lease_ms * 1'000;
  return {.lease_micros = micros, .renew_micros = micros / 6, .margin_micros = micros / 10};
}

Config fitted(Config config) {
  const auto room = static_cast<size_t>(config.log_segment_bytes / 2) - k_record_slack_bytes;
  if (config.limits.request_bytes > room) {
    spdlog::warn("--log-segment {} leaves room for requests of {} bytes only",
                 config.log_segment_bytes, room);
    config.limits.request_bytes = room;
    config.limits.message_bytes = std::min(config.limits.message_bytes, room);
  }
  return config;
}

}  // namespace parley
