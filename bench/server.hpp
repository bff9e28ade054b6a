#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bench/settings.hpp"
#include "parley/v1/admin.pb.h"
#include "tests/support/server_process.hpp"

namespace parley::bench {

/// A parleyd under measurement. Owned by a question; started and ended on the main thread, which
/// the process does not outlive.
class BenchServer {
 public:
  BenchServer(const Settings& settings, const std::filesystem::path& data_dir,
              std::vector<std::string> flags = {});

  /// Waits for the port; fails with what the server said where it does not come up.
  void wait_until_serving();
  [[nodiscard]] const std::string& address() const { return process_->address(); }
  [[nodiscard]] double cpu_seconds() const;
  [[nodiscard]] int64_t resident_bytes() const { return process_->resident_bytes(); }
  [[nodiscard]] int64_t resident_bytes_max() const { return process_->resident_bytes_max(); }
  [[nodiscard]] parley::v1::GetServerInfoResponse info() const;
  /// Of a cluster: whether each of its shards is served, and by the node of that name.
  [[nodiscard]] bool all_served_by(const std::string& node) const;
  /// Wishes all shards to that node.
  void move_all_to(const std::string& node) const;

  /// Waits until its background work is done: all applied to the store, then nearly no CPU for a
  /// while. Fails where that takes longer than `seconds`.
  void settle(double seconds = 60) const;
  /// Waits until the store has merged its files, which it does when nothing changes.
  void rest() const;
  void kill() { process_->kill(); }
  void stop();

 private:
  [[nodiscard]] bool applied_all() const;
  /// One of GetServerInfo's.
  [[nodiscard]] int64_t counter(const std::string& name) const;

  std::unique_ptr<test::ServerProcess> process_;
};

}  // namespace parley::bench
