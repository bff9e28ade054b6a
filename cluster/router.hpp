#pragma once

#include <atomic>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

#include "cluster/ownership.hpp"
#include "cluster/peer_transport.hpp"
#include "cluster/ring.hpp"

namespace parley {

/// Where the calls of each shard go: here, or to another node.
///
/// Owned by the server, used by any thread. A hint for whoever asks others, corrected by what they
/// answer, and the law for what is carried out here: a shard is this node's only where its storage
/// says so, whatever others say. What is given out stays valid.
class Router {
 public:
  /// `nodes`: all of the cluster, as of now; owners may be others that went, or are to come back.
  Router(NodeName self, const std::vector<NodeName>& nodes, KnownOwners owners,
         PeerTransport& transport);

  [[nodiscard]] const NodeName& self() const { return self_; }
  /// All nodes of the cluster, sorted.
  [[nodiscard]] std::vector<NodeName> nodes() const ABSL_LOCKS_EXCLUDED(mutex_);
  /// They are others now.
  void set_nodes(const std::vector<NodeName>& nodes) ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] const NodeName& owner(Shard shard) const {
    return *owners_[shard.value].load(std::memory_order_acquire);
  }
  /// The owner, where it is another node; else null.
  [[nodiscard]] const NodeName* elsewhere(Shard shard) const {
    const NodeName* owner = owners_[shard.value].load(std::memory_order_acquire);
    return owner == own_ ? nullptr : owner;
  }
  [[nodiscard]] KnownOwner known(Shard shard) const ABSL_LOCKS_EXCLUDED(mutex_);
  /// What another node says of a shard. Nothing changes where as much is known already, where the
  /// shard is this node's, or is said to be, and where nobody of that name belongs to the cluster.
  void learn(Shard shard, const KnownOwner& owner) ABSL_LOCKS_EXCLUDED(mutex_);

  /// The shard is this node's from now on, as its storage says.
  void own(Shard shard, Epoch epoch) ABSL_LOCKS_EXCLUDED(mutex_);
  /// The shard is not this node's (any more).
  void give(Shard shard, const KnownOwner& to) ABSL_LOCKS_EXCLUDED(mutex_);

  /// All nodes of the cluster but this one, sorted.
  [[nodiscard]] std::vector<NodeName> others() const;
  [[nodiscard]] std::vector<Shard> shards_of(const NodeName& node) const;
  [[nodiscard]] uint32_t shard_count() const { return static_cast<uint32_t>(owners_.size()); }

  void ask(const NodeName& node, PeerRequest request, PeerWaiter* waiter) {
    transport_.ask(node, std::move(request), waiter);
  }
  /// PeerTransport::session
  [[nodiscard]] uint64_t session(const NodeName& node) const { return transport_.session(node); }

 private:
  [[nodiscard]] const NodeName* find(const NodeName& node) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const NodeName self_;
  mutable absl::Mutex mutex_;
  std::set<NodeName> nodes_ ABSL_GUARDED_BY(mutex_);
  std::set<NodeName> names_ ABSL_GUARDED_BY(mutex_);  ///< of nodes, owners and nobody; grows only
  const NodeName* own_ = nullptr;                     ///< into `names_`, as all below
  std::vector<std::atomic<const NodeName*>> owners_;
  std::vector<Epoch> epochs_ ABSL_GUARDED_BY(mutex_);
  PeerTransport& transport_;
};

}  // namespace parley
