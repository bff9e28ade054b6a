#include "tests/storage/postgres_instance.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>
#include <libpq-fe.h>

namespace parley::test {
namespace {

namespace fs = std::filesystem;

const std::string k_programs = "/usr/lib/postgresql/15/bin/";
constexpr auto k_patience = std::chrono::seconds(60);

/// In the child: as a user that the server accepts, and not longer than its parent.
void become_server_user() {
  if (geteuid() == 0) {
    const passwd* user = getpwnam("postgres");
    if (user == nullptr || setgroups(0, nullptr) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0) {
      _exit(126);
    }
  }
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
}

pid_t spawn(const std::vector<std::string>& command, const fs::path& output) {
  const pid_t child = fork();
  if (child != 0) return child;
  const int file = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  dup2(file, STDOUT_FILENO);
  dup2(file, STDERR_FILENO);
  become_server_user();
  std::vector<char*> arguments;
  for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execv(arguments.front(), arguments.data());
  _exit(127);
}

void give_to_server_user(const fs::path& path) {
  if (geteuid() != 0) return;
  const passwd* user = getpwnam("postgres");
  ASSERT_NE(user, nullptr) << "no user postgres: is the package postgresql-15 installed?";
  ASSERT_EQ(chown(path.c_str(), user->pw_uid, user->pw_gid), 0);
}

}  // namespace

PostgresInstance::PostgresInstance(bool durable) : durable_(durable) {
  std::string path = (fs::temp_directory_path() / "parley-pg-XXXXXX").string();
  directory_ = mkdtemp(path.data());
  fs::create_directory(directory_ / "sockets");
  fs::create_directory(directory_ / "data");
  for (const char* each : {"", "sockets", "data"}) give_to_server_user(directory_ / each);
  const pid_t child = spawn(
      {k_programs + "initdb", "--pgdata", directory_ / "data", "--username", "parley", "--auth",
       "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"},
      directory_ / "initdb.log");
  int ended = 0;
  waitpid(child, &ended, 0);
  EXPECT_EQ(ended, 0) << "initdb failed; is the package postgresql-15 installed? See "
                      << directory_ / "initdb.log";
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

std::string PostgresInstance::url() const {
  return "postgresql:///postgres?user=parley&host=" + sockets();
}

void PostgresInstance::start() {
  std::vector<std::string> command{k_programs + "postgres",
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
  server_ = spawn(command, directory_ / "server.log");
  const auto until = std::chrono::steady_clock::now() + k_patience;
  while (std::chrono::steady_clock::now() < until) {
    if (PQping(url().c_str()) == PQPING_OK) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
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

void PostgresInstance::signal_all(int signal) const {
  if (server_ < 0) return;
  ::kill(server_, signal);
  const fs::path children =
      fs::path("/proc") / std::to_string(server_) / "task" / std::to_string(server_) / "children";
  FILE* list = fopen(children.c_str(), "r");
  if (list == nullptr) return;
  for (int child = 0; fscanf(list, "%d", &child) == 1;) ::kill(child, signal);
  fclose(list);
}

void PostgresInstance::pause() const { signal_all(SIGSTOP); }
void PostgresInstance::go_on() const { signal_all(SIGCONT); }

void PostgresInstance::empty() const { run("DROP SCHEMA IF EXISTS parley CASCADE"); }

std::string PostgresInstance::run(const std::string& sql) const {
  PGconn* connection = PQconnectdb(url().c_str());
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  PGresult* result = PQexec(connection, sql.c_str());
  const ExecStatusType status = PQresultStatus(result);
  EXPECT_TRUE(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
      << sql << ": " << PQerrorMessage(connection);
  std::string said;
  for (int row = 0; row < PQntuples(result); ++row) {
    for (int column = 0; column < PQnfields(result); ++column) {
      said += (column == 0 ? "" : "|") + std::string(PQgetvalue(result, row, column));
    }
    said += "\n";
  }
  PQclear(result);
  PQfinish(connection);
  return said;
}

}  // namespace parley::test
