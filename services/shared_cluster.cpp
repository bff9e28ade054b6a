#include "services/shared_cluster.hpp"

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/log.hpp"

namespace parley {
namespace {

constexpr const char* k_look = "LookAtShards";

std::string text_of(const PeerAddress& address) {
  return absl::StrCat(address.host, ":", address.port);
}

/// As another node wrote it; nothing where it is none.
std::optional<PeerAddress> address_of(const Member& member) {
  const size_t colon = member.address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(member.address.substr(colon + 1), &port) ||
      port < 1 || port > 65'535) {
    return std::nullopt;
  }
  return PeerAddress{{member.node}, member.address.substr(0, colon), static_cast<uint16_t>(port)};
}

}  // namespace

SharedCluster::Part::Part(SharedCluster& its_cluster, uint32_t its_number, const Options& options)
    : cluster(its_cluster),
      number(its_number),
      table(options.databases[number], cluster.journals_.away(number)),
      keeper({.self = {.node = options.self.node.value,
                       .incarnation = {},
                       .address = text_of(options.self)},
              .shard_count = cluster.node_.environment.shard_count,
              .times = options.times,
              .now = [&clock = cluster.node_.environment.clock] { return clock.steady(); },
              .fresh = [&ids = cluster.node_.environment.ids] { return ids.fresh(); }},
             table, cluster.gate_, *this) {}

void SharedCluster::Part::members(const std::vector<Member>& members) {
  cluster.members_of(number, members);
}

void SharedCluster::Part::owned_elsewhere(Shard shard, const NodeName& owner, Epoch epoch) {
  // Not a hint: where the database lost its last changes, epochs may be lower than they were.
  if (owner.value.empty()) {
    cluster.node_.router->learn(shard, {owner, epoch});
  } else {
    cluster.node_.router->give(shard, {owner, epoch});
  }
}

void SharedCluster::Part::tell_to_look(const NodeName& node) {
  cluster.gate_.tell(node, k_look, {});
}

SharedCluster::SharedCluster(Options options, PostgresJournals& journals, Node& node,
                             NodeGate& gate, CafTransport& links)
    : self_(options.self), journals_(journals), node_(node), gate_(gate), links_(links) {
  for (uint32_t i = 0; i < options.databases.size(); ++i) {
    parts_.push_back(std::make_unique<Part>(*this, i, options));
  }
}

void SharedCluster::serve_peers(PeerCalls& peers) {
  // Of which database is not said: a look too many costs little.
  peers.add_letters(k_look, [this](const NodeName&, const std::string&) {
    for (const auto& part : parts_) part->keeper.look_now();
  });
  gate_.when_owned_there([this](Shard shard, const NodeName& owner, Epoch epoch) {
    parts_[journals_.parts().part_of(shard)]->keeper.told(shard, owner, epoch);
  });
}

void SharedCluster::start() {
  for (const auto& part : parts_) {
    if (part->started || !journals_.is_open(part->number)) continue;
    part->started = true;
    part->keeper.start();
  }
}

void SharedCluster::sweep() {
  const Status status = journals_.open_rest();
  if (status.ok()) {
    lacking_ = false;
  } else if (!std::exchange(lacking_, true)) {
    spdlog::error("shards of a database are not served: {}", status.ToString());
  }
  start();
}

void SharedCluster::drain(std::chrono::milliseconds most) {
  // All at once: one that does not answer is not to use up the time of the others.
  std::vector<std::thread> drains;
  for (const auto& part : parts_) {
    drains.emplace_back([&keeper = part->keeper, most] { keeper.drain(most); });
  }
  for (std::thread& drain : drains) drain.join();
}

void SharedCluster::stop() {
  for (const auto& part : parts_) part->keeper.stop();
}

std::vector<const std::atomic<int64_t>*> SharedCluster::leases_until() const {
  std::vector<const std::atomic<int64_t>*> leases;
  for (const auto& part : parts_) {
    leases.resize(journals_.parts().begin(part->number + 1), &part->keeper.lease_until_micros());
  }
  return leases;
}

std::vector<ShardsView::Look> SharedCluster::look() const {
  std::vector<Look> all;
  for (const auto& part : parts_) {
    // Of shards that are in another database a keeper knows nothing.
    const auto looks = part->keeper.look();
    const auto end = looks.begin() + journals_.parts().begin(part->number + 1);
    all.insert(all.end(), looks.begin() + static_cast<ptrdiff_t>(all.size()), end);
  }
  return all;
}

void SharedCluster::members_of(uint32_t part, std::vector<Member> members) {
  for (Member& member : members) member.renewals = 0;
  const std::lock_guard lock(mutex_);
  const auto before =
      std::ranges::find_if(heard_, [part](const Heard& heard) { return heard.part == part; });
  if (before != heard_.end()) {
    if (before->members == members) return;
    heard_.erase(before);
  }
  heard_.push_back({part, std::move(members)});
  const std::vector<PeerAddress> addresses = all_nodes();
  std::vector<NodeName> names;
  for (const PeerAddress& address : addresses) names.push_back(address.node);
  links_.set_nodes(addresses);
  node_.router->set_nodes(names);
}

std::vector<PeerAddress> SharedCluster::all_nodes() const {
  std::map<NodeName, PeerAddress> nodes;
  for (const Heard& heard : heard_) {
    for (const Member& member : heard.members) {
      const auto address = address_of(member);
      if (address) {
        nodes.insert_or_assign(address->node, *address);
      } else {
        spdlog::error("node {} has an address that is none: {}", member.node, member.address);
      }
    }
  }
  nodes.insert_or_assign(self_.node, self_);
  std::vector<PeerAddress> all;
  for (const auto& [name, address] : nodes) all.push_back(address);
  return all;
}

}  // namespace parley
