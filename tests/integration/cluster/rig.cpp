#include "tests/integration/cluster/rig.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "tests/support/number_file.hpp"

namespace parley::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr auto k_start_patience = std::chrono::seconds(20);
constexpr auto k_recovery_max = std::chrono::seconds(60);
constexpr int k_client_port = 7447;
constexpr int k_peer_port = 7500;
const std::string k_first_nodes = "parley-0,parley-1,parley-2";

std::vector<std::string> flags(Shape shape) {
  std::vector<std::string> all{"--insecure", "--shards",       "24", "--drain-timeout",
                               "5",          "--idle-timeout", "2"};
  if (shape == Shape::shared_journal) {
    all.insert(all.end(), {"--lease-ms", std::to_string(Rig::k_lease.count())});
  } else {
    all.insert(all.end(), {"--log-segment", "4MB", "--memory-budget", "64MB"});
  }
  return all;
}

}  // namespace

Rig::Rig(const HostNetwork& network, Shape shape, std::string directory)
    : network_(network), shape_(shape), directory_(std::move(directory)) {
  fs::create_directories(directory_);
  // Why: databases run as a user of their own.
  fs::permissions(data_.path(),
                  fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
  for (int host = 0; host < k_hosts; ++host) {
    set_clock(host, 0);
    set_disk_delay(host, milliseconds(0));
  }
  if (shape_ == Shape::shared_journal) {
    databases_.emplace(data_ / "databases", directory_, network_, k_nodes_max,
                       environment(k_nodes_max));
  }
  start_all();
}

Rig::~Rig() {
  for (const int node : there_) kill(node);
}

std::string Rig::clock_file(int host) const { return data_ / ("clock-" + std::to_string(host)); }
std::string Rig::delay_file(int host) const { return data_ / ("delay-" + std::to_string(host)); }
void Rig::set_clock(int node, int64_t seconds) const { write_number(clock_file(node), seconds); }
void Rig::set_disk_delay(int host, milliseconds delay) const {
  write_number(delay_file(host), delay.count());
}

std::vector<std::string> Rig::environment(int host) const {
  return {"LD_PRELOAD=" + program("../lib/libfake_clock.so").string() + ":" +
              program("../lib/libslow_sync.so").string(),
          "PARLEY_CLOCK_OFFSET=" + clock_file(host), "PARLEY_SLOW_SYNC=" + delay_file(host),
          // Why: the sanitizer's library wants to be the first one otherwise.
          "ASAN_OPTIONS=verify_asan_link_order=0"};
}

NodePlace Rig::place(int node) const {
  return {.address = HostNetwork::address(node),
          .client_port = k_client_port,
          .peer_port = k_peer_port,
          .wrapper = network_.wrapper(node),
          .environment = environment(node)};
}

void Rig::start_all() {
  std::vector<NodePlace> places;
  for (int node = 0; node < k_nodes; ++node) {
    places.push_back(place(node));
    there_.insert(node);
  }
  // Why another directory each time: a cluster of nodes with storage of their own begins in none.
  const std::string directory = data_ / std::to_string(beginnings_++);
  fs::create_directory(directory);
  nodes_ = std::make_unique<ClusterNodes>(
      directory, places, flags(shape_),
      databases_ ? std::vector<std::string>{databases_->url()} : std::vector<std::string>{});
}

void Rig::set_doorway(Doorway* doorway) {
  doorway_ = doorway;
  if (doorway_ == nullptr) return;
  for (const int node : there_) doorway_->open(nodes_->node(node).address(), node);
}

void Rig::keep_output(int node) {
  std::ofstream all(directory_ + "/" + ClusterNodes::name(node) + ".log", std::ios::app);
  all << nodes_->node(node).output();
}

void Rig::kill(int node) {
  nodes_->node(node).kill();
  keep_output(node);
}

void Rig::stop(int node) {
  EXPECT_EQ(nodes_->node(node).stop(), Ending{.exit_code = 0}) << nodes_->node(node).output();
  keep_output(node);
}

void Rig::bring_back(int node) {
  const auto until = Clock::now() + k_recovery_max;
  while (!nodes_->try_to_start(node, k_start_patience)) {
    keep_output(node);
    if (Clock::now() > until) {
      ADD_FAILURE() << ClusterNodes::name(node) << " does not start:\n"
                    << nodes_->node(node).output();
      return;
    }
    nodes_->node(node).kill();
    std::this_thread::sleep_for(milliseconds(100));
  }
}

void Rig::roll() {
  for (const int node : there_) {
    stop(node);
    bring_back(node);
  }
}

void Rig::grow() {
  const bool by_hand = shape_ == Shape::own_storage;
  for (int node = k_nodes; node < k_nodes_max; ++node) {
    nodes_->add(by_hand ? std::vector<std::string>{"--first-nodes", k_first_nodes}
                        : std::vector<std::string>{},
                place(node));
  }
  for (int node = k_nodes; node < k_nodes_max; ++node) {
    bring_back(node);
    if (doorway_ != nullptr) doorway_->open(nodes_->node(node).address(), node);
  }
  if (by_hand) {
    roll();
    nodes_->wait_until_linked();
    std::cout << nodes_->parley(0, "cluster apply");
  }
  for (int node = k_nodes; node < k_nodes_max; ++node) there_.insert(node);
}

void Rig::shrink() {
  const bool by_hand = shape_ == Shape::own_storage;
  for (int node = k_nodes; node < k_nodes_max; ++node) {
    there_.erase(node);
    if (doorway_ != nullptr) doorway_->shut(node);
  }
  if (by_hand) {
    std::cout << nodes_->parley(0, "cluster apply --without parley-3 --without parley-4");
  }
  for (int node = k_nodes_max - 1; node >= k_nodes; --node) {
    stop(node);
    nodes_->remove_last();
  }
  if (by_hand) roll();
}

void Rig::recover() {
  network_.mend_all();
  for (int host = 0; host < k_hosts; ++host) {
    set_clock(host, 0);
    set_disk_delay(host, milliseconds(0));
  }
  for (const int node : there_) {
    EXPECT_TRUE(nodes_->node(node).running()) << ClusterNodes::name(node) << " ended by itself:\n"
                                              << nodes_->node(node).output();
  }
  nodes_->wait_until_linked();
}

void Rig::begin_anew() {
  for (const int node : there_) stop(node);
  there_.clear();
  nodes_.reset();
  if (databases_) databases_->empty();
  start_all();
}

}  // namespace parley::test
