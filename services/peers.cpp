#include "services/peers.hpp"

#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/ids.hpp"

namespace parley {
namespace {

Status wrong(const std::string& entry, const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat("--peers ", entry, ": ", why, "; it is NAME=HOST:PORT,NAME=HOST:PORT,..."));
}

Result<PeerAddress> parse_peer(const std::string& entry) {
  const size_t equals = entry.find('=');
  const size_t colon = entry.rfind(':');
  if (equals == std::string::npos || colon == std::string::npos || colon < equals) {
    return wrong(entry, "not understood");
  }
  PeerAddress peer{{entry.substr(0, equals)}, entry.substr(equals + 1, colon - equals - 1), 0};
  if (const Status status = check_id("name", peer.node.value); !status.ok()) {
    return wrong(entry, std::string(status.message()));
  }
  if (peer.host.empty()) return wrong(entry, "the host is missing");
  int port = 0;
  if (!absl::SimpleAtoi(entry.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return wrong(entry, "the port is not a number from 1 to 65535");
  }
  peer.port = static_cast<uint16_t>(port);
  return peer;
}

}  // namespace

Result<std::vector<PeerAddress>> parse_peers(const Config& config) {
  std::vector<PeerAddress> peers;
  std::set<std::string> seen;
  bool found = false;
  for (const std::string& entry : config.peers) {
    auto peer = parse_peer(entry);
    if (!peer.ok()) return peer.status();
    if (!seen.insert(peer->node.value).second) return wrong(entry, "that name comes twice");
    if (!seen.insert(absl::StrCat(peer->host, ":", peer->port)).second) {
      return wrong(entry, "that address comes twice");
    }
    found = found || peer->node.value == config.node;
    peers.push_back(*std::move(peer));
  }
  if (!found) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--node ", config.node, " is not one of --peers; name this node as the others know it"));
  }
  return peers;
}

Result<std::optional<std::vector<NodeName>>> parse_first_nodes(const Config& config) {
  if (config.first_nodes.empty()) return std::nullopt;
  std::vector<NodeName> nodes;
  std::set<std::string> seen;
  for (const std::string& name : config.first_nodes) {
    const auto refused = [&](const std::string& why) {
      return absl::InvalidArgumentError(absl::StrCat("--first-nodes ", name, ": ", why));
    };
    if (const Status status = check_id("name", name); !status.ok()) {
      return refused(std::string(status.message()));
    }
    if (!seen.insert(name).second) return refused("that name comes twice");
    nodes.push_back({name});
  }
  return nodes;
}

}  // namespace parley
