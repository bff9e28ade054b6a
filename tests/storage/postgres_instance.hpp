#pragma once

#include <filesystem>
#include <string>
#include <sys/types.h>

namespace parley::test {

/// A PostgreSQL server of the test's own: in a temporary directory, reached by a socket there.
///
/// One thread. Gone with its directory at the end, and with the process that made it however that
/// ends. Run as root, the server runs as the user postgres, for it refuses root.
class PostgresInstance {
 public:
  /// `durable`: syncs as a server does; off, it only survives its own crashes.
  explicit PostgresInstance(bool durable = false);
  ~PostgresInstance();
  PostgresInstance(const PostgresInstance&) = delete;
  PostgresInstance& operator=(const PostgresInstance&) = delete;

  /// Made when it is first asked for, and kept for all tests of a process.
  static PostgresInstance& of_this_process();
  /// The same, another one.
  static PostgresInstance& second_of_this_process();

  [[nodiscard]] std::string url() const;
  /// Drops all that Parley made.
  void empty() const;
  /// One statement, as psql would run it; what it gave, a line a row. Fails the test where it
  /// fails.
  std::string run(const std::string& sql) const;

  void start();
  /// As a crash of the server would end it.
  void kill();
  /// SIGSTOP and SIGCONT to all of its processes.
  void pause() const;
  void go_on() const;

 private:
  [[nodiscard]] std::string sockets() const { return directory_ / "sockets"; }

  const bool durable_;
  std::filesystem::path directory_;
  pid_t server_ = -1;
};

}  // namespace parley::test
