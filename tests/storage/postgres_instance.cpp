#include "tests/storage/postgres_instance.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "tests/storage/postgres_process.hpp"

namespace parley::test {
namespace {

namespace fs = std::filesystem;

constexpr auto k_patience = std::chrono::seconds(60);

}  // namespace

PostgresInstance::PostgresInstance(bool durable) : durable_(durable) {
  std::string path = (fs::temp_directory_path() / "parley-pg-XXXXXX").string();
  directory_ = mkdtemp(path.data());
  fs::create_directory(directory_ / "sockets");
  fs::create_directory(directory_ / "data");
  for (const char* each : {"", "sockets", "data"}) give_to_database_user(directory_ / each);
  run_for_database({.words = {database_program("initdb"), "--pgdata", directory_ / "data",
                              "--username", "parley", "--auth", "trust", "--encoding", "UTF8",
                              "--locale", "C", "--no-sync", "--no-instructions"},
                    .output = directory_ / "initdb.log"});
  start();
}

PostgresInstance::~PostgresInstance() {
  kill();
  std::error_code error;
  fs::remove_all(directory_, error);
}

PostgresInstance& PostgresInstance::of_this_process() {
  static PostgresInstance instance;
  return instance;
}

PostgresInstance& PostgresInstance::second_of_this_process() {
  static PostgresInstance instance;
  return instance;
}

std::string PostgresInstance::url() const {
  return "postgresql:///postgres?user=parley&host=" + sockets();
}

void PostgresInstance::start() {
  std::vector<std::string> command{database_program("postgres"),
                                   "-D",
                                   directory_ / "data",
                                   "-c",
                                   "listen_addresses=",
                                   "-c",
                                   "unix_socket_directories=" + sockets(),
                                   "-c",
                                   "max_connections=200",
                                   "-c",
                                   "shared_buffers=32MB",
                                   "-c",
                                   "log_min_messages=error"};
  if (!durable_) {
    command.insert(command.end(), {"-c", "fsync=off", "-c", "full_page_writes=off"});
  }
  server_ = spawn_for_database({.words = command, .output = directory_ / "server.log"});
  if (wait_for_database(url(), k_patience)) return;
  ADD_FAILURE() << "the database does not start; see " << directory_ / "server.log";
}

void PostgresInstance::kill() {
  if (server_ < 0) return;
  go_on();
  // At once, without a checkpoint: what a crash leaves.
  ::kill(server_, SIGQUIT);
  waitpid(server_, nullptr, 0);
  server_ = -1;
}

void PostgresInstance::pause() const { signal_database(server_, SIGSTOP); }
void PostgresInstance::go_on() const { signal_database(server_, SIGCONT); }

void PostgresInstance::empty() const { run("DROP SCHEMA IF EXISTS parley CASCADE"); }

std::string PostgresInstance::run(const std::string& sql) const { return run_sql(url(), sql); }

}  // namespace parley::test
