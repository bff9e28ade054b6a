#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include "base/result.hpp"
#include "cluster/link.hpp"
#include "cluster/peer_codec.hpp"
#include "cluster/peer_transport.hpp"

namespace parley {

/// Where a node is to be found by the others.
struct PeerAddress {
  NodeName node;
  std::string host;
  uint16_t port = 0;
};

struct CafTransportOptions {
  NodeName self;
  std::vector<PeerAddress> nodes;  ///< all of the cluster, this one too
  uint64_t layout_digest = 0;      ///< as in Hello
  std::string release;
  LinkLimits limits;
};

/// What an actor system needs for links between nodes: to be called before it is made.
void configure_links(caf::actor_system_config& config);

/// Links to all other nodes of the cluster, each one a pair of CAF actors that watch each other.
///
/// Of two nodes the one with the lower name connects, again and again until it succeeds; a node
/// whose hello does not fit is refused. Owned by the server; `ask` and `connected` on any thread.
/// Batches that come are taken on whatever thread `run` gives. Not its job: who owns what.
class CafTransport final : public PeerTransport {
 public:
  using Run = std::function<void(std::function<void()>)>;
  using Steady = std::function<SteadyTime()>;

  CafTransport(caf::actor_system& system, CafTransportOptions options, PeerServer& server, Run run,
               Steady steady);
  ~CafTransport() override;

  /// Listens and begins to connect. The error says what to do.
  Status start();
  /// Ends all links; every waiter is told before this returns.
  void stop();

  void ask(const NodeName& to, PeerRequest request, PeerWaiter* waiter) override;
  [[nodiscard]] uint64_t session(const NodeName& to) const override;

  struct Shared;

 private:
  struct Peer {
    PeerAddress address;
    std::shared_ptr<Link> link;
    bool dials = false;  ///< this node connects, not the other one
    SteadyTime next_try;
    int64_t wait_micros = 0;
  };

  void keep_connected();
  void connect(Peer& peer);

  caf::actor_system& system_;
  const Steady steady_;
  std::shared_ptr<Shared> shared_;
  std::map<NodeName, Peer> peers_;
  PeerAddress own_;
  caf::actor door_;
  absl::Notification stopping_;
  std::thread keeper_;
};

}  // namespace parley
