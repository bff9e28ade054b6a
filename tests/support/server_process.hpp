#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <sys/types.h>
#include <vector>

namespace parley::test {

/// How to start a server.
struct ServerOptions {
  std::filesystem::path data_dir;
  std::string listen = "127.0.0.1:0";
  std::vector<std::string> flags;        ///< beside --data-dir, --listen and --port-file
  std::vector<std::string> environment;  ///< NAME=value, beside what the test itself has
  std::vector<std::string>
      wrapper;              ///< a program that runs the server, e.g. strace with its options
  uint64_t open_files = 0;  ///< bound of open files; 0: the test's own
};

/// How a process ended.
struct Ending {
  std::optional<int> exit_code;
  std::optional<int> signal;
  bool operator==(const Ending&) const = default;
};
std::string describe(const Ending& ending);
std::ostream& operator<<(std::ostream& out, const Ending& ending);

/// A real `parleyd`, as a rule on a free port of the loopback address. Owned by a test, made and
/// ended on the thread that made it. Invariant: no server outlives the thread that started it,
/// however that ends.
class ServerProcess {
 public:
  /// Starts and does not wait.
  explicit ServerProcess(const ServerOptions& options);
  /// Kills it if it still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  /// Waits until it serves. False where it ended before, or took longer than `patience`.
  bool wait_until_serving(std::chrono::milliseconds patience = std::chrono::seconds(30));
  /// host:port; empty before it serves.
  [[nodiscard]] const std::string& address() const { return address_; }
  /// Of the server, also under a wrapper.
  [[nodiscard]] pid_t pid() const;

  void send(int signal) const;
  /// kill -9, and waits for the end.
  void kill();
  /// SIGTERM, and waits for the end.
  Ending stop(std::chrono::milliseconds patience = std::chrono::seconds(60));
  /// Empty where it still runs after `patience`.
  std::optional<Ending> wait(std::chrono::milliseconds patience);
  [[nodiscard]] bool running() { return !wait(std::chrono::milliseconds(0)).has_value(); }

  /// Resident memory now, and the most there ever was, in bytes.
  [[nodiscard]] int64_t resident_bytes() const { return status_bytes("VmRSS:"); }
  [[nodiscard]] int64_t resident_bytes_max() const { return status_bytes("VmHWM:"); }
  /// What it has written to stdout and stderr so far.
  [[nodiscard]] std::string output() const;

 private:
  [[nodiscard]] int64_t status_bytes(const std::string& field) const;

  std::string host_;
  std::filesystem::path port_file_;
  std::filesystem::path output_file_;
  std::string address_;
  pid_t child_ = -1;
  bool wrapped_ = false;
  std::optional<Ending> ending_;
};

/// Starts a server that must come up: fails the test with its output where it does not.
std::unique_ptr<ServerProcess> start_server(const ServerOptions& options);

/// Path of a program of this build, e.g. "parleyd", which PARLEY_SERVER puts another one in place
/// of.
std::filesystem::path program(const std::string& name);

}  // namespace parley::test
