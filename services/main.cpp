#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <pthread.h>
#include <string>
#include <thread>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "absl/synchronization/mutex.h"
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include "base/log.hpp"
#include "services/config.hpp"
#include "services/release.hpp"
#include "services/server.hpp"
#include "storage/postgres/connection.hpp"

/// Read by jemalloc, before main. Memory that was freed goes back to the system soon, also when
/// nothing is allocated any more: an idle server keeps none for calls to come.
extern "C" {
// NOLINTNEXTLINE(misc-use-internal-linkage,cppcoreguidelines-avoid-non-const-global-variables)
const char* malloc_conf = "background_thread:true,dirty_decay_ms:2000,muzzy_decay_ms:0";
}

namespace {

/// Signals are waited for, never handled asynchronously: blocked in every thread from the start.
sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

/// Why: what clients send would otherwise make lines in the log that are not in its form; and what
/// stops the server it says in words of its own.
void take_over_logs() {
  gpr_set_log_function([](gpr_log_func_args* line) { spdlog::debug("gRPC: {}", line->message); });
  google::protobuf::SetLogHandler(
      [](google::protobuf::LogLevel, const char*, int, const std::string& line) {
        spdlog::debug("protobuf: {}", line);
      });
}

bool write_port(const std::string& path, int port) {
  // Renamed into place: whoever waits for the file never reads half a number.
  const std::string unfinished = path + ".tmp";
  {
    std::ofstream file(unfinished);
    file << port << "\n";
    if (!file.flush()) return false;
  }
  return std::rename(unfinished.c_str(), path.c_str()) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Debian's absl looks for deadlocks at every lock, which costs 2 % of the hot path.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const auto parsed = parley::parse_config(argc, argv);
  if (parsed.exit_code) return *parsed.exit_code;
  const parley::Config& config = parsed.config;
  parley::start_logging(spdlog::level::from_str(config.log_level));
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  take_over_logs();
  if (const parley::Status places = parley::check_places(config); !places.ok()) {
    const std::string why(places.message());
    std::fprintf(stderr, "parleyd: %s\n", why.c_str());
    return 2;
  }
  auto server = parley::Server::start(config);
  if (!server.ok()) {
    const std::string why(server.status().message());
    std::fprintf(stderr, "parleyd: %s\n", why.c_str());
    return EXIT_FAILURE;
  }
  std::string kept = config.cluster == "shared" ? "journal at" : "data in " + config.data_dir;
  for (const std::string& journal : config.journals) {
    kept += " " + parley::postgres::shown_url(journal);
  }
  spdlog::info("parleyd {} ({}) serves on port {}, {}", parley::k_release, parley::k_commit,
               (*server)->port(), kept);
  if (!config.port_file.empty() && !write_port(config.port_file, (*server)->port())) {
    std::fprintf(stderr, "parleyd: cannot write the port file %s\n", config.port_file.c_str());
    return EXIT_FAILURE;
  }

  int signal_number = 0;
  sigwait(&signals, &signal_number);
  spdlog::info("stopping: calls may finish for {} s; signal again to stop at once",
               config.drain_seconds);
  std::thread([signals] {
    int again = 0;
    sigwait(&signals, &again);
    std::fprintf(stderr, "parleyd: stopped at once\n");
    std::_Exit(128 + again);
  }).detach();
  (*server)->drain_and_stop();
  spdlog::info("stopped");
#ifdef __SANITIZE_ADDRESS__
  // Why here: the sanitizer itself looks for leaks in exit() only.
  if (__lsan_do_recoverable_leak_check() != 0) std::_Exit(EXIT_FAILURE);
#endif
  // Why not the destructors of static objects: CAF's and gRPC's threads may still be on their way
  // out.
  std::_Exit(EXIT_SUCCESS);
}
