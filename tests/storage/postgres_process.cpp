#include "tests/storage/postgres_process.hpp"

#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>
#include <libpq-fe.h>

namespace parley::test {
namespace {

namespace fs = std::filesystem;

/// In the child: as a user that the server accepts, and not longer than its parent.
void become_database_user() {
  if (geteuid() == 0) {
    const passwd* user = getpwnam("postgres");
    if (user == nullptr || setgroups(0, nullptr) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0) {
      _exit(126);
    }
  }
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
}

void enter_network(const std::string& path) {
  if (path.empty()) return;
  const int network = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (network < 0 || setns(network, CLONE_NEWNET) != 0) _exit(125);
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> made;
  for (const auto& word : words) made.push_back(const_cast<char*>(word.c_str()));
  made.push_back(nullptr);
  return made;
}

std::string contents(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

}  // namespace

std::string database_program(const std::string& name) {
  return "/usr/lib/postgresql/15/bin/" + name;
}

pid_t spawn_for_database(const DatabaseCommand& command) {
  std::vector<std::string> environment = command.environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  const std::vector<char*> words = pointers(command.words);
  const std::vector<char*> names = pointers(environment);
  const pid_t child = fork();
  if (child != 0) return child;
  const int file = open(command.output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  dup2(file, STDOUT_FILENO);
  dup2(file, STDERR_FILENO);
  for (int fd = 3; fd < 256; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
  // Why a group of its own: a Ctrl-C at the terminal is for the test, which then ends its servers.
  setpgid(0, 0);
  enter_network(command.network);
  become_database_user();
  execve(words.front(), words.data(), names.data());
  _exit(127);
}

void run_for_database(const DatabaseCommand& command) {
  int ended = 0;
  waitpid(spawn_for_database(command), &ended, 0);
  EXPECT_EQ(ended, 0) << command.words.front()
                      << " failed; is the package postgresql-15 installed? It said:\n"
                      << contents(command.output);
}

void give_to_database_user(const fs::path& path) {
  if (geteuid() != 0) return;
  const passwd* user = getpwnam("postgres");
  ASSERT_NE(user, nullptr) << "no user postgres: is the package postgresql-15 installed?";
  ASSERT_EQ(chown(path.c_str(), user->pw_uid, user->pw_gid), 0);
}

void signal_database(pid_t server, int signal) {
  if (server < 0) return;
  ::kill(server, signal);
  const std::string id = std::to_string(server);
  std::ifstream children("/proc/" + id + "/task/" + id + "/children");
  for (pid_t child = 0; children >> child;) ::kill(child, signal);
}

bool wait_for_database(const std::string& url, std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < until) {
    if (PQping(url.c_str()) == PQPING_OK) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

std::string run_sql(const std::string& url, const std::string& sql) {
  PGconn* connection = PQconnectdb(url.c_str());
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
