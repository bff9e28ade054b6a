#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cluster/peer_transport.hpp"
#include "cluster/ring.hpp"

namespace parley {

/// Where the calls of each shard go: here, or to another node.
///
/// Owned by the server, used by any thread. A hint for whoever asks others, and the law for what is
/// carried out here: this node's storage says that it owns the shards that are its own.
class Router {
 public:
  Router(NodeName self, Layout layout, PeerTransport& transport)
      : self_(std::move(self)), layout_(std::move(layout)), transport_(transport) {}

  [[nodiscard]] const NodeName& self() const { return self_; }
  [[nodiscard]] const NodeName& owner(Shard shard) const { return layout_[shard.value]; }
  /// The owner, where it is another node; else null.
  [[nodiscard]] const NodeName* elsewhere(Shard shard) const {
    const NodeName& owner = layout_[shard.value];
    return owner == self_ ? nullptr : &owner;
  }
  /// The other nodes that own shards.
  [[nodiscard]] std::vector<NodeName> others() const;
  [[nodiscard]] std::vector<Shard> shards_of(const NodeName& node) const;

  void ask(const NodeName& node, PeerRequest request, PeerWaiter* waiter) {
    transport_.ask(node, std::move(request), waiter);
  }
  /// PeerTransport::session
  [[nodiscard]] uint64_t session(const NodeName& node) const { return transport_.session(node); }

 private:
  const NodeName self_;
  const Layout layout_;
  PeerTransport& transport_;
};

}  // namespace parley
