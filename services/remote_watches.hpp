#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

#include "parley/cluster/v1/peer.pb.h"
#include "services/node.hpp"
#include "services/peer_calls.hpp"
#include "services/watch_source.hpp"

namespace parley {

/// Watches whose client and conversation are at different nodes: who of other nodes waits for
/// something to follow here, and who of this node's waits elsewhere.
///
/// Owned by the server; any thread. A watcher of another node asks (k_follow) and is answered at
/// once; if nothing follows so far, that node is told when something does (k_followed), and the
/// watcher asks again. Invariants: what is told may be lost, for it is asked for again; a watcher
/// that has not asked for `k_forget_micros` is forgotten, so that it keeps no conversation in
/// memory.
class RemoteWatches {
 public:
  static constexpr const char* k_follow = "Follow";
  static constexpr const char* k_unfollow = "Unfollow";
  static constexpr const char* k_followed = "Followed";
  static constexpr int64_t k_forget_micros = 30'000'000;

  explicit RemoteWatches(Node& node) : node_(node) {}

  /// Lets other nodes ask.
  void serve(PeerCalls& peers);
  /// To be called every second or so.
  void sweep() ABSL_LOCKS_EXCLUDED(mutex_);

  /// A watcher of this node that asks another one, by its name.
  void add(const std::string& name, std::weak_ptr<WatchSource> source) ABSL_LOCKS_EXCLUDED(mutex_);
  void remove(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class RemoteListener;

  /// Of another node.
  struct Watcher {
    Address address;
    NodeName node;
    uint64_t id = 0;  ///< to the conversation
    Version after;
    bool waiting = false;
    bool untold = false;  ///< it is to ask again, and does not know yet
    /// The end of the conversation, which that itself does not know any more.
    EventLists last;
    SteadyTime asked_at;
  };

  void follow(UnaryCall<cluster::v1::FollowRequest>* call);
  void begin(UnaryCall<cluster::v1::FollowRequest>* call, const Address& address);
  void unfollow(UnaryCall<cluster::v1::UnfollowRequest>* call);
  void followed(UnaryCall<cluster::v1::FollowedRequest>* call);
  void note_waiting(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Has the watcher ask again.
  void nudge(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  void keep_last(const std::string& name, const EventLists& lists) ABSL_LOCKS_EXCLUDED(mutex_);
  void tell(const std::string& name, const NodeName& node) ABSL_LOCKS_EXCLUDED(mutex_);

  Node& node_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Watcher> here_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, std::weak_ptr<WatchSource>> elsewhere_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace parley
