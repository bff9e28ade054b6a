#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/expected.hpp>

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

/// Files, PEM, by which nodes know each other: whoever has a certificate of the authority's is a
/// node. Names in it are not compared, so the authority is to be the cluster's own.
struct PeerCertificates {
  std::string certificate;
  std::string key;
  std::string authority;
};

struct CafTransportOptions {
  NodeName self;
  std::vector<PeerAddress> nodes;  ///< all of the cluster, this one too
  uint64_t layout_digest = 0;      ///< as in Hello, as the next
  std::vector<NodeName> first_nodes;
  std::string release;
  bool secured = false;  ///< links are TLS, as `configure_links` was told
  /// Told that a node of that name belongs to another cluster, or this one does. Any thread; must
  /// not block. May come again and again.
  std::function<void(const Hello&)> on_other_cluster = [](const Hello&) {};
  LinkLimits limits;
};

/// What an actor system needs for links between nodes: to be called before it is made.
void configure_links(caf::actor_system_config& config,
                     const std::optional<PeerCertificates>& certificates);

/// Links to all other nodes of the cluster, each one a pair of CAF actors that watch each other.
///
/// Of two nodes the one with the lower name connects, again and again until it succeeds; a node
/// whose hello does not fit is refused. Owned by the server; `ask` and `connected` on any thread.
/// Calls that come are taken on whatever thread `run` gives, letters in their order where they
/// come. Not its job: who owns what.
class CafTransport final : public PeerTransport {
 public:
  using Run = std::function<void(std::function<void()>)>;
  using Steady = std::function<SteadyTime()>;

  CafTransport(caf::actor_system& system, CafTransportOptions options, PeerServer& server, Run run,
               Steady steady);
  ~CafTransport() override;

  /// Listens and begins to connect. The error says what to do.
  Status start();
  /// What `run` is given is carried out from now on: letters are taken where they come. Until then
  /// they wait with all else.
  void serve();
  /// Ends all links; every waiter is told before this returns.
  void stop();

  /// These are the others from now on: who is new is linked, who went is dialled no more.
  void set_nodes(const std::vector<PeerAddress>& nodes) ABSL_LOCKS_EXCLUDED(peers_mutex_);

  void ask(const NodeName& to, PeerRequest request, PeerWaiter* waiter) override;
  [[nodiscard]] uint64_t session(const NodeName& to) const override;
  /// Waits until every other node is linked, or is not there to be. Blocks, not longer than `most`.
  void meet_others(std::chrono::milliseconds most);

  struct Shared;

 private:
  struct Peer {
    PeerAddress address;
    std::shared_ptr<Link> link;
    bool present = true;  ///< one of the cluster's, now
    bool hurry = false;   ///< it may be there by now: no waiting
    bool dials = false;   ///< this node connects, not the other one
    SteadyTime next_try;  ///< the keeper's, as the next
    SteadyTime greeted;   ///< then the last hello is answered, or was in vain
    int64_t wait_micros = 0;
  };

  caf::expected<uint16_t> publish();
  caf::expected<caf::actor> dial(const PeerAddress& address);
  void keep_connected();
  void connect(Peer& peer, const PeerAddress& address);
  [[nodiscard]] std::shared_ptr<Link> link_to(const NodeName& node) const
      ABSL_LOCKS_EXCLUDED(peers_mutex_);

  caf::actor_system& system_;
  const Steady steady_;
  std::shared_ptr<Shared> shared_;
  mutable absl::Mutex peers_mutex_;
  std::map<NodeName, Peer> peers_ ABSL_GUARDED_BY(peers_mutex_);  ///< grows only
  PeerAddress own_;
  caf::actor door_;
  absl::Notification stopping_;
  std::thread keeper_;
};

}  // namespace parley
