#include "tests/integration/cluster/database_pair.hpp"

#include <csignal>
#include <fstream>
#include <sys/wait.h>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "tests/storage/postgres_process.hpp"

namespace parley::test {
namespace {

namespace fs = std::filesystem;
constexpr auto k_patience = std::chrono::seconds(60);
const std::string k_port = "5432";

}  // namespace

DatabasePair::DatabasePair(fs::path directory, fs::path logs, const HostNetwork& network,
                           int first_host, std::vector<std::string> environment)
    : directory_(std::move(directory)),
      logs_(std::move(logs)),
      network_(network),
      first_host_(first_host),
      environment_(std::move(environment)) {
  fs::create_directories(directory_);
  give_to_database_user(directory_);
  for (int index = 0; index < 2; ++index) {
    fs::create_directory(place(index));
    fs::create_directory(place(index) / "sockets");
    give_to_database_user(place(index));
    give_to_database_user(place(index) / "sockets");
  }
  run_program(primary_, {database_program("initdb"), "--pgdata", place(primary_) / "data",
                         "--username", "parley", "--auth", "trust", "--encoding", "UTF8",
                         "--locale", "C", "--no-sync", "--no-instructions"});
  std::ofstream access(place(primary_) / "data" / "pg_hba.conf", std::ios::app);
  access << "host all all samenet trust\nhost replication all samenet trust\n";
  access.close();
  start(primary_);
  renew_standby();
}

DatabasePair::~DatabasePair() {
  for (int index = 0; index < 2; ++index) kill(index);
}

fs::path DatabasePair::place(int index) const { return directory_ / name(index); }

std::string DatabasePair::sockets_url(int index) const {
  return "postgresql:///postgres?user=parley&connect_timeout=2&host=" +
         (place(index) / "sockets").string();
}

std::string DatabasePair::url() const {
  return "postgresql://parley@" + HostNetwork::address(first_host_) + ":" + k_port + "," +
         HostNetwork::address(first_host_ + 1) + ":" + k_port + "/postgres";
}

void DatabasePair::run_program(int index, const std::vector<std::string>& words) const {
  run_for_database({.words = words,
                    .output = log(index, "programs"),
                    .network = network_.path(first_host_ + index)});
}

void DatabasePair::start(int index) {
  const int other = 1 - index;
  std::vector<std::string> words{database_program("postgres"), "-D", place(index) / "data"};
  for (const std::string& setting :
       {"listen_addresses=" + HostNetwork::address(first_host_ + index), "port=" + k_port,
        "unix_socket_directories=" + (place(index) / "sockets").string(),
        std::string("max_connections=200"), std::string("shared_buffers=32MB"),
        std::string("log_min_messages=error"), std::string("wal_keep_size=256MB"),
        std::string("recovery_init_sync_method=syncfs"), std::string("max_wal_size=256MB"),
        std::string("wal_sender_timeout=2s"), std::string("wal_receiver_timeout=2s"),
        std::string("wal_retrieve_retry_interval=200ms"),
        "synchronous_standby_names=FIRST 1 (" + name(other) + ")",
        "primary_conninfo=host=" + HostNetwork::address(first_host_ + other) + " port=" + k_port +
            " user=parley connect_timeout=2 application_name=" + name(index)}) {
    words.insert(words.end(), {"-c", setting});
  }
  servers_[static_cast<size_t>(index)] =
      spawn_for_database({.words = words,
                          .output = log(index, "server"),
                          .network = network_.path(first_host_ + index),
                          .environment = environment_});
  EXPECT_TRUE(wait_for_database(sockets_url(index), k_patience))
      << "the database does not start; see " << log(index, "server");
}

void DatabasePair::kill(int index) {
  pid_t& server = servers_[static_cast<size_t>(index)];
  if (server < 0) return;
  signal_database(server, SIGCONT);
  // At once, without a checkpoint: what a crash leaves.
  ::kill(server, SIGQUIT);
  waitpid(server, nullptr, 0);
  server = -1;
}

void DatabasePair::kill_primary() { kill(primary_); }
void DatabasePair::start_primary() { start(primary_); }
void DatabasePair::pause_primary() const {
  signal_database(servers_[static_cast<size_t>(primary_)], SIGSTOP);
}
void DatabasePair::wake_primary() const {
  signal_database(servers_[static_cast<size_t>(primary_)], SIGCONT);
}

void DatabasePair::promote() {
  run_sql(sockets_url(standby()), "SELECT pg_promote(true, 30)");
  primary_ = standby();
}

void DatabasePair::renew_standby() {
  const int index = standby();
  kill(index);
  const fs::path data = place(index) / "data";
  fs::remove_all(data);
  run_program(index,
              {database_program("pg_basebackup"), "--pgdata", data, "--host",
               HostNetwork::address(primary_host()), "--port", k_port, "--username", "parley",
               "--wal-method", "stream", "--checkpoint", "fast", "--no-sync", "--no-password"});
  std::ofstream(data / "standby.signal").close();
  give_to_database_user(data / "standby.signal");
  start(index);
  EXPECT_TRUE(in_step(k_patience)) << "the standby does not keep up";
}

bool DatabasePair::in_step(std::chrono::milliseconds patience) const {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < until) {
    if (run("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND "
            "sync_state = 'sync'") == "1\n") {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

std::string DatabasePair::run(const std::string& sql) const {
  return run_sql(sockets_url(primary_), sql);
}

}  // namespace parley::test
