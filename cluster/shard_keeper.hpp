#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "cluster/ownership.hpp"
#include "cluster/peer_codec_letter.hpp"
#include "cluster/shard_host.hpp"
#include "cluster/shards_view.hpp"
#include "cluster/ticking_thread.hpp"

namespace parley {

/// The shards of one node: lets each one's Baton decide, and does what it says.
///
/// Owned by the server; has one thread, on which all Batons and the host's work run, so that what a
/// Baton said is done in its order before it decides anew. Any thread may call. Invariants: those
/// of Baton; where something could not be done, a shard goes on from what is recorded, as after a
/// crash. Not its job: which shard is to go where.
class ShardKeeper final : public ShardsView {
 public:
  struct Options {
    NodeName self;
    uint32_t shard_count = 0;
    BatonLimits limits;
    std::function<SteadyTime()> now;
    std::function<uint64_t()> random;
  };
  ShardKeeper(Options options, ShardHost& host);
  ~ShardKeeper() override { stop(); }

  /// Serves what is owned before it returns, and takes up what was interrupted.
  void start();
  /// What is under way goes on with the next start.
  void stop();

  /// Where a shard is to be that this node owns: until it is there, or the process ends; of others
  /// nothing is wished. Its own node: it stays.
  void want(Shard shard, NodeName where);
  /// A message of another node's keeper.
  void receive(NodeName from, std::string message);

  [[nodiscard]] std::vector<Look> look() const override;

 private:
  /// What goes out of one shard.
  struct Outflow {
    std::unique_ptr<ShardCopy> copy;
    uint64_t attempt = 0;
    std::deque<std::string> pieces;  ///< from position `first` on
    size_t pieces_bytes = 0;         ///< of these
    uint64_t first = 1;
    [[nodiscard]] uint64_t last() const { return first + pieces.size() - 1; }
    /// The last one that may be under way, by bytes.
    [[nodiscard]] uint64_t last_to_send() const;
  };
  struct Kept {
    std::unique_ptr<Baton> baton;  ///< null while it waits to be begun anew
    SteadyTime anew_at;            ///< then
    std::optional<Outflow> outflow;
    NodeName wanted;      ///< nobody: stays where it is
    bool waits = false;   ///< the Baton was not told so yet: others are on their way
    bool passed = false;  ///< just now
    NodeName taker;       ///< of the last offer
    uint64_t hold = 0;    ///< number of the hold under way; 0: calls go on
    SteadyTime held_at;   ///< since when, where they do not
  };
  using Decide = std::function<void(Baton&, SteadyTime, Baton::Outputs&)>;

  void tick();
  /// Has the shard's Baton decide, `letter` being at hand, and does what it says.
  void step(Shard shard, const Decide& decide, const ShardLetter* letter = nullptr);
  Status perform(Shard shard, const baton::Output& output, const ShardLetter* letter);
  Status store(Shard shard, uint64_t first, const ShardLetter& letter);
  void send(Shard shard, const baton::Send& send);
  void send_rows(Shard shard, const NodeName& to, const baton::Rows& rows);
  void on_held(Shard shard, uint64_t number);
  /// Reads ahead, as many pieces as may be under way, or all there are.
  Status read_on(Outflow& outflow, bool all) const;
  /// Gives the Baton what there is to be sent.
  void feed(Shard shard);
  /// As a taker that lost what it had would have it.
  void copy_anew(Shard shard, const Status& why);
  /// As after a crash, a little later.
  void give_up(Shard shard, const Status& why);
  void begin(Shard shard);
  [[nodiscard]] static bool is_giving(const Kept& it) { return it.baton && it.baton->giving(); }
  /// As many shards as may be on their way at once.
  void begin_moves();
  /// Others are to have the place of a shard whose taker is away, and no copy waits for it.
  void set_aside(Shard shard);
  void tell_wish(Shard shard);
  void publish(Shard shard);
  Kept& kept(Shard shard) { return kept_[shard.value]; }

  const Options options_;
  ShardHost& host_;
  std::vector<Kept> kept_;               ///< the thread's
  std::atomic<size_t> letter_bytes_{0};  ///< of letters that wait for the thread

  mutable std::mutex mutex_;  ///< guards the looks
  std::vector<Look> looks_;
  TickingThread thread_;
};

}  // namespace parley
