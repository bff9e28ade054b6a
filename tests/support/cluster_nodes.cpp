#include "tests/support/cluster_nodes.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "tests/support/free_port.hpp"
#include "tests/support/requests.hpp"

namespace parley::test {

ClusterNodes::ClusterNodes(std::string dir, const std::vector<NodePlace>& places,
                           std::vector<std::string> flags, std::vector<std::string> journals)
    : dir_(std::move(dir)), flags_(std::move(flags)), journals_(std::move(journals)) {
  for (const NodePlace& place : places) add({}, place);
  for (int i = 0; i < count(); ++i) start(i);
  wait_until_linked();
}

std::string ClusterNodes::name(int node) { return "parley-" + std::to_string(node); }

std::string ClusterNodes::peers() const {
  std::string peers;
  for (const std::string& peer : peers_) peers += (peers.empty() ? "" : ",") + peer;
  return peers;
}

int ClusterNodes::add(std::vector<std::string> flags, NodePlace place) {
  const int node = count();
  if (place.peer_port == 0) place.peer_port = free_port();
  peers_.push_back(name(node) + "=" + place.address + ":" + std::to_string(place.peer_port));
  places_.push_back(std::move(place));
  own_flags_.push_back(std::move(flags));
  nodes_.emplace_back();
  clients_.emplace_back();
  return node;
}

void ClusterNodes::remove_last() {
  places_.pop_back();
  peers_.pop_back();
  own_flags_.pop_back();
  nodes_.pop_back();
  clients_.pop_back();
}

ServerOptions ClusterNodes::options(int node) const {
  const NodePlace& place = places_[static_cast<size_t>(node)];
  ServerOptions options{.data_dir = data_dir(node),
                        .listen = place.address + ":" + std::to_string(place.client_port),
                        .flags = flags_,
                        .environment = place.environment,
                        .wrapper = place.wrapper};
  const auto& own = own_flags_[static_cast<size_t>(node)];
  options.flags.insert(options.flags.end(), own.begin(), own.end());
  if (!journals_.empty()) {
    const std::vector<std::string> cluster = {
        "--cluster", "shared", "--node", name(node), "--peers", peers_[static_cast<size_t>(node)]};
    options.flags.insert(options.flags.end(), cluster.begin(), cluster.end());
    for (const std::string& journal : journals_) {
      options.flags.insert(options.flags.end(), {"--journal", journal});
    }
  } else if (count() > 1) {
    const std::vector<std::string> cluster = {"--cluster", "static",  "--node",
                                              name(node),  "--peers", peers()};
    options.flags.insert(options.flags.end(), cluster.begin(), cluster.end());
  }
  return options;
}

void ClusterNodes::start(int node) {
  const auto at = static_cast<size_t>(node);
  nodes_[at] = start_server(options(node));
  clients_[at] = std::make_unique<Client>(nodes_[at]->address());
}

bool ClusterNodes::try_to_start(int node, std::chrono::milliseconds patience) {
  const auto at = static_cast<size_t>(node);
  nodes_[at] = std::make_unique<ServerProcess>(options(node));
  if (!nodes_[at]->wait_until_serving(patience)) return false;
  clients_[at] = std::make_unique<Client>(nodes_[at]->address());
  return true;
}

bool ClusterNodes::settled_for(int node, const std::vector<int>& nodes) {
  const auto cluster = client(node).call(pb::GetClusterRequest{});
  if (!cluster.ok()) return false;
  std::set<std::string> there;
  for (const auto& each : cluster->nodes()) {
    if (each.reachable()) there.insert(each.name());
  }
  std::set<std::string> wanted;
  for (const int each : nodes) wanted.insert(name(each));
  if (!std::ranges::includes(there, wanted)) return false;
  return std::ranges::all_of(cluster->shards(), [&](const auto& shard) {
    return shard.state() == pb::ClusterShard::STATE_SERVED && wanted.contains(shard.owner());
  });
}

void ClusterNodes::wait_until_settled(const std::vector<int>& nodes) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (const int node : nodes) {
    while (!settled_for(node, nodes)) {
      if (std::chrono::steady_clock::now() > until) {
        const auto cluster = client(node).call(pb::GetClusterRequest{});
        FAIL() << name(node) << " knows of no settled cluster:\n"
               << (cluster.ok() ? cluster->ShortDebugString() : cluster.status.message) << "\n"
               << nodes_[static_cast<size_t>(node)]->output();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

void ClusterNodes::wait_until_linked() {
  if (!journals_.empty()) {
    std::vector<int> all;
    for (int i = 0; i < count(); ++i) all.push_back(i);
    return wait_until_settled(all);
  }
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

ClusterNodes::Places ClusterNodes::settled(int node) {
  const auto cluster = client(node).call(pb::GetClusterRequest{});
  EXPECT_TRUE(cluster.ok()) << cluster.status;
  Places places;
  for (const auto& shard : cluster->shards()) {
    if (shard.state() == pb::ClusterShard::STATE_SERVED) places[shard.shard()] = shard.owner();
  }
  return places;
}

std::string ClusterNodes::parley(int node, const std::string& arguments) {
  const std::string command = program("parley").string() + " --address " +
                              nodes_[static_cast<size_t>(node)]->address() + " " + arguments +
                              " 2>&1";
  FILE* output = popen(command.c_str(), "r");
  std::string said;
  for (std::array<char, 4096> part{}; std::fgets(part.data(), part.size(), output) != nullptr;) {
    said += part.data();
  }
  pclose(output);
  return said;
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
