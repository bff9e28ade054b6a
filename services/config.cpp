#include "services/config.hpp"

#include <cstdio>

#include "absl/strings/match.h"
#include <CLI/CLI.hpp>

#include "services/release.hpp"

namespace parley {
namespace {

void add_places(CLI::App& app, Config& config) {
  app.add_option("--listen", config.listen, "Address to serve on; port 0 picks a free one")
      ->envname("PARLEY_LISTEN")
      ->capture_default_str();
  app.add_option("--data-dir", config.data_dir, "Where everything is kept")
      ->envname("PARLEY_DATA_DIR")
      ->capture_default_str();
  app.add_option("--backup-dir", config.backup_dir, "Where backups go (default: DATA_DIR/backups)")
      ->envname("PARLEY_BACKUP_DIR");
  app.add_option("--node", config.node, "This node's name")
      ->envname("PARLEY_NODE")
      ->capture_default_str();
  app.add_option("--port-file", config.port_file, "Write the port here once calls are served");
  app.add_flag("--insecure", config.insecure,
               "Serve without TLS and identity on an address that is not loopback");
}

void add_sizes(CLI::App& app, Config& config) {
  // Why not base-10 suffixes: memory and disks are sized in powers of two by everyone who tunes
  // them.
  const auto bytes = CLI::AsSizeValue(false);
  app.add_option("--memory-budget", config.memory_budget_bytes,
                 "Memory for conversations, caches and buffers, e.g. 256MB")
      ->transform(bytes)
      ->check(CLI::Range(int64_t{32} << 20, int64_t{1} << 44))
      ->envname("PARLEY_MEMORY_BUDGET");
  app.add_option("--disk-floor", config.disk_floor_bytes,
                 "Refuse appends below this much free disk space")
      ->transform(bytes)
      ->check(CLI::Range(int64_t{1} << 20, int64_t{1} << 44));
  app.add_option("--log-segment", config.log_segment_bytes, "Size of a segment of the log")
      ->transform(bytes)
      ->check(CLI::Range(int64_t{1} << 20, int64_t{1} << 32));
  app.add_option("--shards", config.shard_count, "Shards; fixed when the storage is created")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--queues", config.queues, "Completion queues (0: by cores)")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  app.add_option("--threads", config.threads, "Threads of each completion queue (0: by cores)")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  app.add_option("--queue-cpus", config.queue_cpus,
                 "CPUs for the queues' threads alone, in turn, e.g. 0,2 (default: any); best those "
                 "that serve no interrupts of the disk")
      ->delimiter(',');
}

void add_times(CLI::App& app, Config& config) {
  app.add_option("--idle-timeout", config.idle_seconds,
                 "Seconds until an unused conversation leaves memory")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_option("--drain-timeout", config.drain_seconds, "Seconds for calls to finish at a stop")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
  app.add_option("--drain-delay-ms", config.drain_delay_ms,
                 "Milliseconds to go on serving after health says NOT_SERVING")
      ->check(CLI::Range(0, 60000))
      ->capture_default_str();
  app.add_option("--scrub-interval", config.scrub_seconds,
                 "Seconds after which erased content begins to leave the disk")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_option("--watch-stall-timeout", config.watch_stall_seconds,
                 "Seconds until a watcher that does not read is cut off")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
}

void add_limits(CLI::App& app, Limits& limits) {
  const auto option = [&](const char* name, auto& value, const char* help) {
    app.add_option(name, value, help)->capture_default_str()->group("Limits");
  };
  option("--limit-message-bytes", limits.message_bytes, "One message, encoded");
  option("--limit-request-bytes", limits.request_bytes, "One request, encoded");
  option("--limit-messages-per-append", limits.messages_per_append, "Messages in one append");
  option("--limit-metadata-bytes", limits.metadata_bytes, "Metadata as JSON");
  option("--limit-watchers", limits.watchers_per_conversation, "Watchers of one conversation");
  option("--limit-forks", limits.forks_per_conversation, "Living forks of one conversation");
  option("--limit-waiting-calls", limits.waiting_calls, "Calls waiting in one conversation");
  option("--hot-window", limits.hot_window_messages_default, "Recent messages kept in memory");
  option("--dedup-requests", limits.dedup_requests_default, "Request ids remembered");
  option("--dedup-seconds", limits.dedup_seconds, "How long a request id is remembered");
}

}  // namespace

ParsedConfig parse_config(int argc, const char* const* argv) {
  ParsedConfig parsed;
  Config& config = parsed.config;
  CLI::App app("parleyd: holds conversations, durably");
  app.set_version_flag("--version", std::string("parleyd ") + k_release + " " + k_commit);
  app.set_config("--config", "", "Read options from this TOML file");
  add_places(app, config);
  add_sizes(app, config);
  add_times(app, config);
  add_limits(app, config.limits);
  app.add_option("--log-level", config.log_level, "trace, debug, info, warn or error")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}))
      ->envname("PARLEY_LOG_LEVEL")
      ->capture_default_str();
  app.add_flag("--bench-echo", config.echo, "Also serve a no-op echo, the limit of benchmarks");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    parsed.exit_code = code == 0 ? 0 : 2;
    return parsed;
  }
  if (!config.insecure && !is_loopback(config.listen)) {
    std::fprintf(
        stderr,
        "parleyd: --listen %s is not a loopback address, and this release has neither TLS nor "
        "identity: whoever reaches the port can read everything. Put it behind something that "
        "checks callers and say --insecure.\n",
        config.listen.c_str());
    parsed.exit_code = 2;
  }
  return parsed;
}

bool is_loopback(const std::string& listen) {
  return absl::StartsWith(listen, "127.") || absl::StartsWith(listen, "localhost:") ||
         absl::StartsWith(listen, "[::1]:") || absl::StartsWith(listen, "unix:");
}

}  // namespace parley
