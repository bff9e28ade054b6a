#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace parley::test {

/// Hosts of a test, each a network namespace with one address, on a switch that this process is
/// connected to as well; and what does not get through between them.
///
/// Made on a process's only thread, for the threads that come after it see this network alone; one
/// thread. Needs root. Nothing of it outlives the process, however that ends: the namespaces have
/// no names, and their holders end with it.
class HostNetwork {
 public:
  /// Why there can be none here; empty where there can.
  static std::string missing();

  explicit HostNetwork(int hosts);
  ~HostNetwork();
  HostNetwork(const HostNetwork&) = delete;
  HostNetwork& operator=(const HostNetwork&) = delete;

  [[nodiscard]] static std::string address(int host);
  /// Of the host's namespace.
  [[nodiscard]] std::string path(int host) const;
  /// What a program is run by to be on that host.
  [[nodiscard]] std::vector<std::string> wrapper(int host) const;

  /// Nothing that one sends reaches the other, which is not told so.
  void cut(int from, int to) const { set_cut(from, to, "add"); }
  void mend(int from, int to) const { set_cut(from, to, "delete"); }
  void mend_all() const;

 private:
  void add_host(int host);
  void set_cut(int from, int to, const std::string& verb) const;
  [[nodiscard]] std::string on_host(int host, const std::string& command) const;

  std::vector<pid_t> holders_;
};

}  // namespace parley::test
