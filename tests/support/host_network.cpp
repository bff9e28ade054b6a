#include "tests/support/host_network.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace parley::test {
namespace {

const std::string k_network = "10.77.0.";
constexpr int k_first_host = 10;
const std::string k_nft = "/usr/sbin/nft";
const std::string k_ip = "/usr/sbin/ip";

void run(const std::string& command) {
  const int status = std::system((command + " </dev/null").c_str());
  EXPECT_EQ(status, 0) << command;
}

/// A process that does nothing but to keep a network namespace there.
pid_t hold_network() {
  int ready[2];
  EXPECT_EQ(pipe(ready), 0);
  const pid_t parent = getpid();
  const pid_t holder = fork();
  if (holder == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || unshare(CLONE_NEWNET) != 0) _exit(1);
    // Why a group of its own: a Ctrl-C is for the test, which ends what it started.
    setpgid(0, 0);
    close(ready[0]);
    if (write(ready[1], "r", 1) != 1) _exit(1);
    while (true) pause();
  }
  close(ready[1]);
  char byte = 0;
  EXPECT_EQ(read(ready[0], &byte, 1), 1) << "no network namespace";
  close(ready[0]);
  return holder;
}

}  // namespace

std::string HostNetwork::missing() {
  if (geteuid() != 0) return "hosts of a test need root";
  for (const std::string& each : {k_nft, k_ip}) {
    if (!std::filesystem::exists(each)) return each + " is missing (nftables, iproute2)";
  }
  const pid_t child = fork();
  if (child == 0) _exit(unshare(CLONE_NEWNET) == 0 ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0 ? "" : "no network namespaces may be made here";
}

HostNetwork::HostNetwork(int hosts) {
  EXPECT_EQ(unshare(CLONE_NEWNET), 0);
  run(k_ip + " link set lo up");
  run(k_ip + " link add switch type bridge");
  run(k_ip + " address add " + k_network + "1/24 dev switch");
  run(k_ip + " link set switch up");
  for (int host = 0; host < hosts; ++host) add_host(host);
}

HostNetwork::~HostNetwork() {
  for (const pid_t holder : holders_) {
    ::kill(holder, SIGKILL);
    waitpid(holder, nullptr, 0);
  }
}

std::string HostNetwork::address(int host) {
  return k_network + std::to_string(k_first_host + host);
}

std::string HostNetwork::path(int host) const {
  return "/proc/" + std::to_string(holders_[static_cast<size_t>(host)]) + "/ns/net";
}

std::vector<std::string> HostNetwork::wrapper(int host) const {
  return {"/usr/bin/nsenter", "--net=" + path(host), "--"};
}

std::string HostNetwork::on_host(int host, const std::string& command) const {
  std::string line;
  for (const std::string& word : wrapper(host)) line += word + " ";
  return line + command;
}

void HostNetwork::add_host(int host) {
  const pid_t holder = hold_network();
  holders_.push_back(holder);
  const std::string port = "port" + std::to_string(host);
  run(k_ip + " link add " + port + " type veth peer name eth0 netns " + std::to_string(holder));
  run(k_ip + " link set " + port + " master switch up");
  run(on_host(host, k_ip + " link set lo up"));
  run(on_host(host, k_ip + " address add " + address(host) + "/24 dev eth0"));
  run(on_host(host, k_ip + " link set eth0 up"));
  run(on_host(host, k_nft + " 'add table ip faults; "
                            "add set ip faults cut { type ipv4_addr; }; "
                            "add chain ip faults arriving { type filter hook input priority 0; }; "
                            "add rule ip faults arriving ip saddr @cut drop'"));
}

void HostNetwork::set_cut(int from, int to, const std::string& verb) const {
  run(on_host(to, k_nft + " '" + verb + " element ip faults cut { " + address(from) + " }'"));
}

void HostNetwork::mend_all() const {
  for (size_t host = 0; host < holders_.size(); ++host) {
    run(on_host(static_cast<int>(host), k_nft + " flush set ip faults cut"));
  }
}

}  // namespace parley::test
