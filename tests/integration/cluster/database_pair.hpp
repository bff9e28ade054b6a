#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

#include "tests/support/host_network.hpp"

namespace parley::test {

/// A PostgreSQL server and its synchronous standby, each on a host of its own. The standby can take
/// the other one's place, which is then made anew as the standby.
///
/// One thread. Gone at the end of the test, and of the process that made it.
class DatabasePair {
 public:
  /// On the hosts `first_host` and the next one; `environment` is theirs. What they wrote is in
  /// `logs`.
  DatabasePair(std::filesystem::path directory, std::filesystem::path logs,
               const HostNetwork& network, int first_host, std::vector<std::string> environment);
  ~DatabasePair();
  DatabasePair(const DatabasePair&) = delete;
  DatabasePair& operator=(const DatabasePair&) = delete;

  /// Of both, as clients are to be given it.
  [[nodiscard]] std::string url() const;
  [[nodiscard]] int primary_host() const { return first_host_ + primary_; }
  [[nodiscard]] int standby_host() const { return first_host_ + standby(); }

  /// As a crash ends it; `start_primary` begins it again where it stopped.
  void kill_primary();
  void start_primary();
  void pause_primary() const;
  void wake_primary() const;
  /// The standby is the one that writes from now on; the other one may still run.
  void promote();
  /// The one that does not write is thrown away, and made anew from the other.
  void renew_standby();
  /// True where the standby has all that was committed, within that time.
  [[nodiscard]] bool in_step(std::chrono::milliseconds patience) const;
  /// One statement to the one that writes.
  std::string run(const std::string& sql) const;
  /// What Parley made is gone.
  void empty() const { run("DROP SCHEMA IF EXISTS parley CASCADE"); }

 private:
  [[nodiscard]] int standby() const { return 1 - primary_; }
  [[nodiscard]] std::filesystem::path place(int index) const;
  [[nodiscard]] std::filesystem::path log(int index, const std::string& of) const {
    return logs_ / (name(index) + "-" + of + ".log");
  }
  [[nodiscard]] std::string sockets_url(int index) const;
  [[nodiscard]] static std::string name(int index) { return "db_" + std::to_string(index); }
  void start(int index);
  void kill(int index);
  void run_program(int index, const std::vector<std::string>& words) const;

  const std::filesystem::path directory_;
  const std::filesystem::path logs_;
  const HostNetwork& network_;
  const int first_host_;
  const std::vector<std::string> environment_;
  int primary_ = 0;
  std::array<pid_t, 2> servers_{-1, -1};
};

}  // namespace parley::test
