#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

#include "base/burst.hpp"
#include "cluster/peer_transport.hpp"

namespace parley {

struct LinkLimits {
  size_t requests_max = 1'024;         ///< under way to one peer: calls, and as many letters
  size_t bytes_max = 8U << 20;         ///< of requests under way; one alone may have more
  size_t letter_bytes_max = 4U << 20;  ///< of letters, in addition; one alone may have more
  /// A batch that has so many leaves before its burst ends: nodes and the wire work side by side.
  /// The next one of that burst has twice as many: each costs both nodes a wake-up.
  size_t batch_bytes = 128U << 10;
};

/// One peer: what goes to it, and what is waited for from it.
///
/// What one burst of work has for the peer goes as one batch. Owned by the transport, used by any
/// thread. Knows nothing of what carries a batch: a connection is a function that sends one, and a
/// number; what comes from a connection that is over is dropped. Invariant: each waiter is told
/// exactly once, and not later than the link is gone.
class Link final : public Sleeper, public std::enable_shared_from_this<Link> {
 public:
  /// Of a batch. Why letters are told apart: what they say is to be heard in their order, what
  /// calls ask for at once.
  enum class Content : uint8_t { calls, letters };
  /// Sends one batch, in order, without blocking.
  using Send = std::function<void(std::string batch, Content content)>;
  using Session = uint64_t;

  Link(NodeName peer, LinkLimits limits) : peer_(std::move(peer)), limits_(limits) {}
  ~Link() override;

  [[nodiscard]] const NodeName& peer() const { return peer_; }

  void ask(const PeerRequest& request, SteadyTime now, PeerWaiter* waiter);

  /// A connection stands; the one before, if any, is over.
  Session open(Send send);
  /// Nothing will come from this connection any more.
  void close(Session session);
  /// The connection that stands; 0 while there is none.
  [[nodiscard]] Session session() const;

  /// A batch has come. False where it cannot be read: the connection is of no use then.
  bool receive(Session session, const std::string& batch, PeerServer& server);
  /// Fails what has waited too long. To be called every 50 ms or so.
  void tick(SteadyTime now);

  /// Sends what has gathered.
  void wake() override;

 private:
  struct Pending {
    PeerWaiter* waiter;
    SteadyTime deadline;
    size_t bytes;
    bool letter;
  };
  /// What is under way of calls or letters. Why apart: calls that are held for a shard to move may
  /// not keep back the letters that end it.
  struct Load {
    size_t requests = 0;
    size_t bytes = 0;
  };
  void answer(Session session, uint64_t id, const PeerAnswer& answer);
  [[nodiscard]] bool full_for(const PeerRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Load& load(bool letters) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return letters ? letter_load_ : call_load_;
  }
  /// The one that gathers.
  std::string& batch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void send_batches() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void send_batches_if_full() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Takes a request off the table.
  PeerWaiter* release(uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const NodeName peer_;
  const LinkLimits limits_;

  mutable absl::Mutex mutex_;
  Session session_ ABSL_GUARDED_BY(mutex_) = 0;
  Send send_ ABSL_GUARDED_BY(mutex_);  ///< null while there is no connection
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  uint64_t first_unsent_ ABSL_GUARDED_BY(mutex_) = 1;
  std::string outgoing_ ABSL_GUARDED_BY(mutex_);  ///< a PeerBatch so far, of calls and answers
  std::string letters_ ABSL_GUARDED_BY(mutex_);   ///< the same, of letters
  size_t full_at_ ABSL_GUARDED_BY(mutex_) = limits_.batch_bytes;  ///< in this burst
  size_t last_batch_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  ///< the next one is likely to have as many
  absl::flat_hash_map<uint64_t, Pending> pending_ ABSL_GUARDED_BY(mutex_);
  Load call_load_ ABSL_GUARDED_BY(mutex_);
  Load letter_load_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace parley
