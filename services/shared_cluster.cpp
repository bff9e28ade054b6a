#include "services/shared_cluster.hpp"

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

SharedCluster::SharedCluster(Options options, Node& node, NodeGate& gate, CafTransport& links)
    : self_(options.self),
      node_(node),
      gate_(gate),
      links_(links),
      table_(options.database),
      keeper_({.self = {.node = self_.node.value, .incarnation = {}, .address = text_of(self_)},
               .shard_count = node.environment.shard_count,
               .times = options.times,
               .now = [&clock = node.environment.clock] { return clock.steady(); },
               .fresh = [&ids = node.environment.ids] { return ids.fresh(); }},
              table_, gate, *this) {}

void SharedCluster::serve_peers(PeerCalls& peers) {
  peers.add_letters(k_look, [this](const NodeName&, const std::string&) { keeper_.look_now(); });
  gate_.when_owned_there([this](Shard shard, const NodeName& owner, Epoch epoch) {
    keeper_.told(shard, owner, epoch);
  });
}

void SharedCluster::members(const std::vector<Member>& members) {
  std::vector<Member> now = members;
  for (Member& member : now) member.renewals = 0;
  if (now == members_) return;
  members_ = now;
  std::vector<PeerAddress> addresses{self_};
  std::vector<NodeName> names{self_.node};
  for (const Member& member : now) {
    if (member.node == self_.node.value) continue;
    const auto address = address_of(member);
    if (!address) {
      spdlog::error("node {} has an address that is none: {}", member.node, member.address);
      continue;
    }
    addresses.push_back(*address);
    names.push_back(address->node);
  }
  links_.set_nodes(addresses);
  node_.router->set_nodes(names);
}

void SharedCluster::owned_elsewhere(Shard shard, const NodeName& owner, Epoch epoch) {
  // Not a hint: where the database lost its last changes, epochs may be lower than they were.
  if (owner.value.empty()) {
    node_.router->learn(shard, {owner, epoch});
  } else {
    node_.router->give(shard, {owner, epoch});
  }
}

void SharedCluster::tell_to_look(const NodeName& node) { gate_.tell(node, k_look, {}); }

}  // namespace parley
