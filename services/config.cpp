#include "services/config.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <netdb.h>
#include <string_view>
#include <system_error>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <CLI/CLI.hpp>

#include "base/ids.hpp"
#include "services/limits_table.hpp"
#include "services/release.hpp"
#include "services/violations.hpp"

namespace parley {
namespace {

namespace fs = std::filesystem;

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
                 "Share the conversations out to several nodes: static (each has its own storage), "
                 "shared (all use the database of --journal)")
      ->check(CLI::IsMember({"static", "shared"}))
      ->envname("PARLEY_CLUSTER");
  app.add_option("--journal", config.journals,
                 "The database that the nodes of a shared cluster keep everything in: "
                 "postgres://USER@HOST:PORT/DATABASE, or as libpq knows it. Given several times: "
                 "databases that share the conversations out, for ever the same in the same order "
                 "(or one value with several URLs and spaces in between)")
      ->allow_extra_args(false)
      ->envname("PARLEY_JOURNAL");
  app.add_flag("--accept-async-loss", config.accept_async_loss,
               "Go on where the database may lose what it acknowledged, by its settings");
  app.add_option("--peers", config.peers,
                 "Every node of the cluster, this one too, and where the others reach it: "
                 "NAME=HOST:PORT,... (of a shared cluster this one alone)")
      ->delimiter(',')
      ->envname("PARLEY_PEERS");
  app.add_option("--first-nodes", config.first_nodes,
                 "The nodes that the cluster began with, on each of its nodes the same for ever: "
                 "NAME,... (default: those of --peers). One that is not among them begins with "
                 "nothing")
      ->delimiter(',')
      ->envname("PARLEY_FIRST_NODES");
  app.add_option("--peer-cert", config.peer_certificate,
                 "Certificate of this node for links between nodes, PEM")
      ->check(CLI::ExistingFile);
  app.add_option("--peer-key", config.peer_key, "Its private key, PEM")->check(CLI::ExistingFile);
  app.add_option(
         "--peer-ca", config.peer_authority,
         "Who signs the nodes' certificates, PEM: whoever has one of theirs is a node, so an "
         "authority of the cluster's own")
      ->check(CLI::ExistingFile);
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
  app.add_option("--lease-ms", config.lease_ms,
                 "Milliseconds after which a silent node of a shared cluster is replaced")
      ->check(CLI::Range(1000, 60000))
      ->capture_default_str();
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
  for (const SettableLimit& limit : settable_limits()) {
    // Why read as signed: a negative number would wrap around to a huge bound.
    const auto set = [&limits, &limit](int64_t given) { set_limit(limits, limit, given); };
    app.add_option_function<int64_t>(limit.flag, set, limit.help)
        ->check(CLI::Range(limit.least, limit.most))
        ->default_str(std::to_string(value_of(limits, limit)))
        ->group("Limits");
  }
}

/// What is wrong with the port of an address; empty where nothing is.
std::string wrong_port(std::string_view port) {
  int number = 0;
  const bool digits = !port.empty() && std::all_of(port.begin(), port.end(), absl::ascii_isdigit);
  if (digits && absl::SimpleAtoi(absl::string_view(port.data(), port.size()), &number) &&
      number <= 65'535) {
    return {};
  }
  return "the port is a number from 0 to 65535, 0 for a free one";
}

std::string wrong_host(const std::string& host) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (!bracketed && host.find(':') != std::string::npos) {
    return "an IPv6 address stands in brackets, such as [::1]:7447";
  }
  const std::string name = bracketed ? host.substr(1, host.size() - 2) : host;
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(name.c_str(), nullptr, &wanted, &found);
  if (failed != 0) return absl::StrCat("the host cannot be resolved: ", gai_strerror(failed));
  freeaddrinfo(found);
  return {};
}

/// What is wrong with the address to serve on; empty where nothing is.
std::string wrong_listen(const std::string& listen) {
  if (absl::StartsWith(listen, "unix:")) return {};
  const size_t colon = listen.rfind(':');
  if (colon == std::string::npos || colon == 0 || listen.back() == ']') {
    return "it is HOST:PORT, such as 127.0.0.1:7447";
  }
  std::string wrong = wrong_port(std::string_view(listen).substr(colon + 1));
  return wrong.empty() ? wrong_host(listen.substr(0, colon)) : wrong;
}

bool is_url(const std::string& journal) {
  return absl::StartsWith(journal, "postgres://") || absl::StartsWith(journal, "postgresql://");
}

/// URLs hold no spaces, so that several may stand in one value; key=value pairs do.
std::vector<std::string> split_journals(const std::vector<std::string>& given) {
  std::vector<std::string> journals;
  for (const std::string& each : given) {
    const std::string journal(absl::StripAsciiWhitespace(each));
    if (!is_url(journal)) {
      journals.push_back(journal);
      continue;
    }
    for (const auto url : absl::StrSplit(journal, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty())) {
      journals.emplace_back(url);
    }
  }
  return journals;
}

std::string wrong_journals(const Config& config) {
  const auto& journals = config.journals;
  if (journals.empty() == (config.cluster == "shared")) {
    return "--cluster shared and --journal go together";
  }
  for (size_t i = 0; i < journals.size(); ++i) {
    if (!is_url(journals[i]) && journals[i].find('=') == std::string::npos) {
      return absl::StrCat("--journal ", in_quotes(journals[i]),
                          ": it is postgres://USER@HOST:PORT/DATABASE, or key=value pairs as libpq "
                          "knows them; several URLs have spaces in between");
    }
    if (std::count(journals.begin(), journals.end(), journals[i]) > 1) {
      return absl::StrCat("--journal: number ", i + 1, " is given twice; give each database once");
    }
  }
  if (journals.size() > config.shard_count) {
    return absl::StrCat("--journal: ", journals.size(), " databases for ", config.shard_count,
                        " shards; give fewer, or more --shards");
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
    return "--peers goes with --cluster static or shared";
  }
  if (!config.first_nodes.empty() && config.cluster != "static") {
    return "--first-nodes goes with --cluster static";
  }
  const bool some = !config.peer_certificate.empty() || !config.peer_key.empty() ||
                    !config.peer_authority.empty();
  const bool all = !config.peer_certificate.empty() && !config.peer_key.empty() &&
                   !config.peer_authority.empty();
  if (some && !all) return "--peer-cert, --peer-key and --peer-ca go together";
  if (some && config.cluster.empty()) return "--peer-cert goes with --cluster";
  if (std::string wrong = wrong_journals(config); !wrong.empty()) return wrong;
  if (!config.insecure && !is_loopback(config.listen)) {
    return absl::StrCat(
        "--listen ", config.listen,
        " is not a loopback address, and this release has neither TLS nor identity: whoever "
        "reaches the port can read everything. Put it behind something that checks callers and say "
        "--insecure.");
  }
  return {};
}

/// What may be in a data directory before there is a store: what a start leaves that broke off, a
/// file system's own, backups put there first, and whatever is hidden.
bool may_precede_store(const std::string& name) {
  static constexpr auto k_names = std::to_array<std::string_view>(
      {"LOCK", "IDENTITY.new", "SHARDS", "SHARDS.new", "backups", "lost+found"});
  return name.front() == '.' || std::find(k_names.begin(), k_names.end(), name) != k_names.end();
}

/// A mistyped path is not to be made a store of among somebody's files.
Status check_data_dir(const std::string& path) {
  std::error_code error;
  // Storage has its own words for these.
  for (const char* own : {"IDENTITY", "db", "log"}) {
    if (fs::exists(fs::path(path) / own, error)) return absl::OkStatus();
  }
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (may_precede_store(name)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("--data-dir ", path, " holds ", in_quotes(name),
                     " but no store (no file IDENTITY); give an empty or a new directory"));
  }
  return absl::OkStatus();
}

Status check_backup_dir(const std::string& path) {
  const auto refused = [&](const std::string& why) {
    return absl::FailedPreconditionError(
        absl::StrCat("--backup-dir ", path, " cannot be used: ", why));
  };
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return refused(error.message());
  if (!fs::is_directory(path, error)) return refused("it is no directory");
  if (access(path.c_str(), W_OK | X_OK) != 0) {
    return refused(std::generic_category().message(errno));
  }
  return absl::OkStatus();
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
  config.journals = split_journals(config.journals);
  if (const std::string wrong = wrong_config(config); !wrong.empty()) {
    std::fprintf(stderr, "parleyd: %s\n", wrong.c_str());
    parsed.exit_code = 2;
  }
  return parsed;
}

Status check_places(const Config& config) {
  if (config.cluster == "shared") return absl::OkStatus();  // nothing is kept here
  if (Status status = check_data_dir(config.data_dir); !status.ok()) return status;
  return config.backup_dir.empty() ? absl::OkStatus() : check_backup_dir(config.backup_dir);
}

bool is_loopback(const std::string& listen) {
  return absl::StartsWith(listen, "127.") || absl::StartsWith(listen, "localhost:") ||
         absl::StartsWith(listen, "[::1]:") || absl::StartsWith(listen, "unix:");
}

}  // namespace parley
