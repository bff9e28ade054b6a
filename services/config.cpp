#include "services/config.hpp"

#include <cstdio>
#include <type_traits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include <CLI/CLI.hpp>

#include "base/ids.hpp"
#include "services/release.hpp"

namespace parley {
namespace {

void add_places(CLI::App& app, Config& config) {
  app.add_option("--listen", config.listen, "Address to serve on; port 0 picks a free one")
      ->take_last()
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
  app.add_option("--cluster", config.cluster,
                 "Share the conversations out to several nodes: static (each has its own storage)")
      ->check(CLI::IsMember({"static"}))
      ->envname("PARLEY_CLUSTER");
  app.add_option("--peers", config.peers,
                 "Every node of the cluster, this one too, and where the others reach it: "
                 "NAME=HOST:PORT,...")
      ->delimiter(',')
      ->envname("PARLEY_PEERS");
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
  // Why read as signed: a negative number would wrap around to a huge bound.
  const auto option = [&](const char* name, auto& value, int64_t least, int64_t most,
                          const char* help) {
    using Value = std::remove_reference_t<decltype(value)>;
    app.add_option_function<int64_t>(
           name, [&value](int64_t given) { value = static_cast<Value>(given); }, help)
        ->check(CLI::Range(least, most))
        ->default_str(std::to_string(value))
        ->group("Limits");
  };
  const auto of = [](size_t bound) { return static_cast<int64_t>(bound); };
  option("--limit-message-bytes", limits.message_bytes, 1 << 10, 64 << 20, "One message, encoded");
  option("--limit-request-bytes", limits.request_bytes, 4 << 10, 256 << 20, "One request, encoded");
  option("--limit-messages-per-append", limits.messages_per_append, 1, 10'000,
         "Messages in one append");
  option("--limit-metadata-bytes", limits.metadata_bytes, 2, 1 << 20, "Metadata as JSON");
  option("--limit-watchers", limits.watchers_per_conversation, 1, 100'000,
         "Watchers of one conversation");
  option("--limit-forks", limits.forks_per_conversation, 0, 10'000,
         "Living forks of one conversation");
  option("--limit-waiting-calls", limits.waiting_calls, 1, 1'000'000,
         "Calls waiting in one conversation");
  option("--hot-window", limits.hot_window_messages_default, 1, of(limits.hot_window_messages_max),
         "Recent messages kept in memory");
  option("--dedup-requests", limits.dedup_requests_default, 1, of(limits.dedup_requests_max),
         "Request ids remembered");
  option("--dedup-seconds", limits.dedup_seconds, 1, 365 * 86'400,
         "How long a request id is remembered");
}

/// What is wrong with the address to serve on; empty where nothing is.
std::string wrong_listen(const std::string& listen) {
  if (absl::StartsWith(listen, "unix:")) return {};
  const size_t colon = listen.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 || listen.back() == ']') {
    return "it is HOST:PORT, such as 127.0.0.1:7447";
  }
  if (!absl::SimpleAtoi(listen.substr(colon + 1), &port) || port < 0 || port > 65'535) {
    return "the port is a number from 0 to 65535, 0 for a free one";
  }
  return {};
}

/// What the parser cannot see by itself.
std::string wrong_config(const Config& config) {
  if (const std::string why = wrong_listen(config.listen); !why.empty()) {
    return absl::StrCat("--listen ", config.listen, ": ", why);
  }
  if (const Status status = check_id("--node", config.node); !status.ok()) {
    return std::string(status.message());
  }
  if (!config.peers.empty() && config.cluster.empty()) {
    return "--peers goes with --cluster static";
  }
  if (!config.insecure && !is_loopback(config.listen)) {
    return absl::StrCat(
        "--listen ", config.listen,
        " is not a loopback address, and this release has neither TLS nor identity: whoever "
        "reaches the port can read everything. Put it behind something that checks callers and say "
        "--insecure.");
  }
  return {};
}

}  // namespace

ParsedConfig parse_config(int argc, const char* const* argv) {
  ParsedConfig parsed;
  Config& config = parsed.config;
  CLI::App app("parleyd: holds conversations, durably");
  app.set_version_flag("--version", std::string("parleyd ") + k_release + " " + k_commit);
  app.set_config("--config", "", "Read options from this TOML file");
  // A name that is misspelt is not to be taken for none.
  app.allow_config_extras(false);
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
  if (const std::string wrong = wrong_config(config); !wrong.empty()) {
    std::fprintf(stderr, "parleyd: %s\n", wrong.c_str());
    parsed.exit_code = 2;
  }
  return parsed;
}

bool is_loopback(const std::string& listen) {
  return absl::StartsWith(listen, "127.") || absl::StartsWith(listen, "localhost:") ||
         absl::StartsWith(listen, "[::1]:") || absl::StartsWith(listen, "unix:");
}

}  // namespace parley
