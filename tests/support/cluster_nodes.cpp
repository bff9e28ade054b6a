#include "tests/support/cluster_nodes.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/support/requests.hpp"

namespace parley::test {
namespace {

int free_port() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(listener);
  return ntohs(address.sin_port);
}

}  // namespace

ClusterNodes::ClusterNodes(std::string dir, int count, std::vector<std::string> flags)
    : dir_(std::move(dir)),
      flags_(std::move(flags)),
      nodes_(static_cast<size_t>(count)),
      clients_(static_cast<size_t>(count)) {
  for (int i = 0; count > 1 && i < count; ++i) {
    peers_ += (i == 0 ? "" : ",") + name(i) + "=127.0.0.1:" + std::to_string(free_port());
  }
  for (int i = 0; i < count; ++i) start(i);
  wait_until_linked();
}

std::string ClusterNodes::name(int node) { return "parley-" + std::to_string(node); }

void ClusterNodes::start(int node) {
  const auto at = static_cast<size_t>(node);
  ServerOptions options{.data_dir = data_dir(node), .flags = flags_};
  if (count() > 1) {
    const std::vector<std::string> cluster = {"--cluster", "static",  "--node",
                                              name(node),  "--peers", peers_};
    options.flags.insert(options.flags.end(), cluster.begin(), cluster.end());
  }
  nodes_[at] = start_server(options);
  clients_[at] = std::make_unique<Client>(nodes_[at]->address());
}

void ClusterNodes::wait_until_linked() {
  for (int i = 0; i < count(); ++i) wait_until_linked(i);
}

void ClusterNodes::wait_until_linked(int node) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < until) {
    const auto page = client(node).call(pb::ListConversationsRequest{});
    if (page.ok() && page->unreachable_shards().empty()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  FAIL() << name(node) << " is not linked to the others:\n" << nodes_[node]->output();
}

void ClusterNodes::restart() {
  for (int i = 0; i < count(); ++i) node(i).kill();
  for (int i = 0; i < count(); ++i) start(i);
  wait_until_linked();
}

void ClusterNodes::stop(int node) {
  const auto at = static_cast<size_t>(node);
  clients_[at].reset();
  EXPECT_EQ(nodes_[at]->stop(), Ending{.exit_code = 0}) << nodes_[at]->output();
}

void ClusterNodes::stop_all() {
  for (int i = 0; i < count(); ++i) stop(i);
}

int ClusterNodes::home_of(const std::string& thread) {
  pb::LocateConversationRequest request;
  request.set_thread_id(thread);
  const auto answer = client(0).call(request);
  EXPECT_TRUE(answer.ok()) << answer.status;
  for (int i = 0; i < count(); ++i) {
    if (answer->node() == name(i)) return i;
  }
  ADD_FAILURE() << "'" << answer->node() << "' is no node";
  return 0;
}

std::string ClusterNodes::created_on(int node) {
  while (true) {
    std::string thread = new_thread_id("t");
    EXPECT_TRUE(client(0).call(create(thread)).ok());
    if (home_of(thread) == node || testing::Test::HasFailure()) return thread;
  }
}

}  // namespace parley::test
