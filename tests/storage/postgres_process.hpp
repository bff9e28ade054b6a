#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

/// Programs of PostgreSQL as a test runs them. They end with the process that started them. Run as
/// root, they run as the user postgres, for a server refuses root.
namespace parley::test {

/// Where a program of it is, such as "initdb".
std::string database_program(const std::string& name);

struct DatabaseCommand {
  std::vector<std::string> words;
  std::filesystem::path output;          ///< where it writes; what is there stays
  std::string network;                   ///< path of a network namespace; empty: this process's own
  std::vector<std::string> environment;  ///< NAME=value, beside what the test itself has
};
pid_t spawn_for_database(const DatabaseCommand& command);
/// Waits for its end; fails the test with its output where it does not end well.
void run_for_database(const DatabaseCommand& command);
void give_to_database_user(const std::filesystem::path& path);
/// To a server and all of its processes.
void signal_database(pid_t server, int signal);

/// False where it takes no calls within that time.
bool wait_for_database(const std::string& url, std::chrono::milliseconds patience);
/// One statement, as psql would run it; what it gave, a line a row. Fails the test where it fails.
std::string run_sql(const std::string& url, const std::string& sql);

}  // namespace parley::test
