#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "conversation/limits.hpp"

namespace parley {

/// How a server is to run: flags, then PARLEY_* environment, then a file given by --config, then
/// these.
struct Config {
  std::string listen = "127.0.0.1:7447";
  std::string data_dir = "./data";
  std::string backup_dir;  ///< empty: backups/ in the data directory
  std::string node = "local";
  std::string cluster;                   ///< empty: alone; else "static" or "shared"
  std::vector<std::string> journals;     ///< databases of a shared cluster, a range of shards each
  std::vector<std::string> peers;        ///< NAME=HOST:PORT of every node of the cluster
  std::vector<std::string> first_nodes;  ///< of the cluster's first start; empty: those of peers
  std::string peer_certificate;          ///< PEM files for links between nodes; empty: no TLS
  std::string peer_key;
  std::string peer_authority;
  std::string port_file;  ///< where to write the port once listening
  std::string log_level = "info";
  bool insecure = false;  ///< allow an address that is not loopback
  int64_t memory_budget_bytes = 256LL << 20;
  int64_t idle_seconds = 300;
  int64_t drain_seconds = 20;  ///< for calls to finish after SIGTERM
  int64_t drain_delay_ms = 0;  ///< between NOT_SERVING and refusing new calls
  int64_t disk_floor_bytes = 256LL << 20;
  int64_t log_segment_bytes = 64LL << 20;
  int64_t scrub_seconds = 10;
  int64_t watch_stall_seconds = 30;
  int64_t lease_ms = 3'000;        ///< of a node whose journal is shared
  bool accept_async_loss = false;  ///< go on where the database may lose what it acknowledged
  uint32_t shard_count = 256;
  int queues = 0;               ///< completion queues; 0: by the number of cores
  int threads = 0;              ///< threads of each queue; 0: by the number of cores
  std::vector<int> queue_cpus;  ///< for threads of queues alone; empty: anywhere
  bool echo = false;            ///< also serve the no-op echo for benchmarks
  Limits limits;
};

/// What the command line says. `exit_code` is set when the program is to end at once (help,
/// version, an error, all of which were printed).
struct ParsedConfig {
  Config config;
  std::optional<int> exit_code;
};
ParsedConfig parse_config(int argc, const char* const* argv);

/// Refuses a data directory that is not empty and holds no store, and a backup directory that
/// cannot be made or written. Before anything is written.
Status check_places(const Config& config);

/// True where `listen` names a loopback address or host.
bool is_loopback(const std::string& listen);

}  // namespace parley
