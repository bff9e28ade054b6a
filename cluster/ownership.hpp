#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "cluster/ring.hpp"

/// How a shard passes from node to node where each node has storage of its own: like a baton, never
/// in two hands. Pure.
///
/// The giver copies the shard's rows while it goes on serving, holds its calls for the last few,
/// and records that it gave the shard away; only then may the taker record that it has it. Whatever
/// is interrupted before that record goes back (the giver still owns, what the taker got is
/// nothing); whatever is interrupted after it goes forward (the giver says so until it is heard).
namespace parley {

/// What a node's storage says of a shard. Durable.
struct Holding {
  enum class Kind : uint8_t {
    absent,     ///< nothing of it is here. Next: receiving
    owned,      ///< here, and served under `epoch`. Next: given
    given,      ///< `peer` has it from `epoch` on; rows may still be here. Next: absent
    receiving,  ///< rows of `peer`'s come in. Next: complete, receiving, absent
    complete,   ///< all of them came, `peer` may have recorded `given`. Next: owned, receiving,
                ///< absent
  };

  Kind kind = Kind::absent;
  Epoch epoch;           ///< owned under it, or to be owned by whoever takes it
  NodeName peer;         ///< the other side; where absent, who had it last as far as is known
  uint64_t attempt = 0;  ///< which transfer: of given (and absent after it), receiving, complete
  bool operator==(const Holding&) const = default;
};

/// Who has a shard, as far as somebody knows: whoever knows of a higher epoch knows better.
struct KnownOwner {
  NodeName node;
  Epoch epoch;
  bool operator==(const KnownOwner&) const = default;
};
/// As what is recorded at a node says.
KnownOwner owner_by(const Holding& holding, const NodeName& self);
/// By the shard's number.
using KnownOwners = std::vector<KnownOwner>;

/// What giver and taker tell each other. Any of it may be lost, late, repeated, out of order.
namespace baton {

/// "I would give you the shard, to be owned under `epoch`."
struct Offer {
  Epoch epoch;
  uint64_t attempt = 0;
};
/// "What I had of it is erased; send."
struct Accept {
  uint64_t attempt = 0;
};
/// Rows by their positions in this attempt, from 1 without gaps; the bytes go along.
struct Rows {
  uint64_t attempt = 0;
  uint64_t first = 1;
  uint64_t last = 0;  ///< below `first`: none, but the end may be told
  bool end = false;   ///< there are no more, and none will come
  uint64_t kept = 0;  ///< by the taker, as the giver knows it: who kept less forgot some
  /// There are few more. Why it is said: what is durable before calls are held is not waited for
  /// while they are.
  bool nearly = false;
};
/// "Here up to this position; complete: all of it, durable, and that is recorded."
struct Kept {
  uint64_t attempt = 0;
  uint64_t up_to = 0;
  bool complete = false;
  bool flushed = false;  ///< most of it is durable, after it was said that few would come
};
/// "I know nothing (any more) of this attempt": begin anew.
struct Lost {
  uint64_t attempt = 0;
};
/// "It is yours: I recorded it."
struct Take {
  Epoch epoch;
  uint64_t attempt = 0;
};
/// "I recorded that I have it."
struct Taken {
  uint64_t attempt = 0;
};
/// "What becomes of this attempt to give me the shard under `epoch`?" Where nothing comes.
struct Ask {
  Epoch epoch;
  uint64_t attempt = 0;
};
/// "Nothing: forget what you got."
struct Withdraw {
  uint64_t attempt = 0;
};

using Message = std::variant<Offer, Accept, Rows, Kept, Lost, Take, Taken, Ask, Withdraw>;

/// Make `holding` durable.
struct Record {
  Holding holding;
};
struct Send {
  NodeName to;
  Message message;
};
/// Remove every row of the shard, durably.
struct Erase {};
/// Take the rows of the message at hand, from this position on.
struct Store {
  uint64_t first = 1;
};
/// Make every row that was taken durable.
struct Flush {};
/// Begin to read rows as of now, and after them every change made from now on; say `readable` as
/// far as rows can be sent. Those after `Baton::let_go` are kept for sending again.
struct StartCopy {
  uint64_t attempt = 0;
};
struct StopCopy {};
/// Calls are to be held soon: put away what is idle now, and what that writes is of the copy. Why:
/// it need not be done while they are.
struct PutIdleAway {};
/// Hold calls, let the changes under way finish, then say `held` with the last position.
struct HoldCalls {
  uint64_t number = 0;
};
/// Serve on, calls that were held first.
struct ResumeCalls {};
/// Serve from now on, under this epoch.
struct Serve {
  Epoch epoch;
};
/// Calls go to `to` from now on, those that were held too.
struct StopServing {
  NodeName to;
};

using Output = std::variant<Record, Send, Erase, Store, Flush, StartCopy, StopCopy, PutIdleAway,
                            HoldCalls, ResumeCalls, Serve, StopServing>;

}  // namespace baton

struct BatonLimits {
  uint64_t window = 64;           ///< positions that may be under way
  uint64_t lag_max = 16;          ///< positions to go when calls are held
  int64_t held_micros = 200'000;  ///< then calls go on, and it is tried again for twice as long
  int64_t held_micros_max = 8'000'000;    ///< shorter than calls wait
  int64_t patience_micros = 100'000;      ///< without an answer; the next time for twice as long
  int64_t patience_micros_max = 400'000;  ///< the longest
};

/// One shard on one node: gives it, takes it, or rests.
///
/// Owned by whoever keeps the node's shards, called by one thread at a time. Each call appends what
/// is to be done to the outputs: done in this order, each one before the next is begun. A crash
/// loses everything but the holding; a new Baton is made of what is stored then. Invariants: at any
/// time at most one node serves, and its storage says that it owns (I15); a node that serves has
/// every row that was acknowledged before (I16). Not its job: rows, calls, who is to have the
/// shard.
class Baton {
 public:
  using Outputs = std::vector<baton::Output>;

  Baton(NodeName self, Holding stored, BatonLimits limits);

  /// Once, at the start: serves what is owned, takes up what was interrupted.
  void start(SteadyTime now, Outputs& out);
  /// Where the shard is to be; nobody: where it is. `attempt`: random, so that no node ever used it
  /// or one near it.
  void want(const NodeName& where, uint64_t attempt, SteadyTime now, Outputs& out);
  void receive(const NodeName& from, const baton::Message& message, SteadyTime now, Outputs& out);
  /// Says again what was not answered. To be called every so often.
  void tick(SteadyTime now, Outputs& out);
  /// Positions up to `up_to` can be sent. `caught_up`: what comes later are changes made since.
  void readable(uint64_t attempt, uint64_t up_to, bool caught_up, SteadyTime now, Outputs& out);
  /// Calls are held as `HoldCalls` said; `end` is the last position.
  void held(uint64_t number, uint64_t end, SteadyTime now, Outputs& out);

  [[nodiscard]] const Holding& holding() const { return holding_; }
  /// Calls are carried out here, now.
  [[nodiscard]] bool serving() const { return serving_; }
  /// Positions up to here need not be kept for sending again.
  [[nodiscard]] uint64_t let_go() const { return kept_; }
  /// Nothing is under way.
  [[nodiscard]] bool resting() const { return stage_ == Stage::resting; }
  /// An attempt of this node's to give the shard away is under way, and is not decided.
  [[nodiscard]] bool giving() const {
    return stage_ == Stage::offering || stage_ == Stage::copying || calls_held();
  }
  /// Where giving: when the taker answered last, or else the attempt began.
  [[nodiscard]] SteadyTime answered() const { return answered_; }

 private:
  enum class Stage : uint8_t {
    resting,   ///< absent, or owned and to stay. Next: offering, taking
    offering,  ///< owned: to be given, the taker was asked. Next: copying, resting
    copying,   ///< owned: rows are on their way. Next: holding, offering, resting
    holding,   ///< owned, calls held: the end is not known yet. Next: passing, copying, resting
    passing,   ///< owned, calls held: the end is on its way. Next: telling, copying, resting
    telling,   ///< given: says so until it is heard. Next: resting
    taking,    ///< receiving. Next: waiting, resting
    waiting,   ///< complete: the giver decides. Next: resting (owned or not)
    stranded,  ///< receiving or complete, how far was forgotten in a crash. Next: taking, resting
  };

  void on(const NodeName& from, const baton::Offer& offer, SteadyTime now, Outputs& out);
  void on(const NodeName& from, const baton::Accept& accept, SteadyTime now, Outputs& out);
  void on(const NodeName& from, const baton::Rows& rows, SteadyTime now, Outputs& out);
  void on(const NodeName& from, const baton::Kept& kept, SteadyTime now, Outputs& out);
  void on(const NodeName& from, const baton::Lost& lost, SteadyTime now, Outputs& out);
  void on(const NodeName& from, const baton::Take& take, SteadyTime now, Outputs& out);
  void on(const NodeName& from, const baton::Taken& taken, SteadyTime now, Outputs& out);
  void on(const NodeName& from, const baton::Ask& ask, SteadyTime now, Outputs& out);
  void on(const NodeName& from, const baton::Withdraw& withdraw, SteadyTime now, Outputs& out);

  [[nodiscard]] bool calls_held() const {
    return stage_ == Stage::holding || stage_ == Stage::passing;
  }

  void record(Holding holding, Outputs& out);
  void flush(Outputs& out);
  void hear(SteadyTime now);
  void prepare_hold(Outputs& out);
  void serve(SteadyTime now, Outputs& out);
  void stop_giving(Outputs& out);
  void offer_if_wanted(SteadyTime now, Outputs& out);
  void offer(SteadyTime now, Outputs& out);
  void send_rows(Outputs& out);
  void say_rows(uint64_t last, bool end, Outputs& out);
  void maybe_hold(SteadyTime now, Outputs& out);
  void pass(Outputs& out);
  void accept_again(const NodeName& from, Outputs& out);
  /// The highest epoch that somebody has owned, as far as is known here.
  [[nodiscard]] Epoch known() const;
  void forget(Holding last, Outputs& out);
  void say_again(Outputs& out);

  const NodeName self_;
  const BatonLimits limits_;
  Holding holding_;
  Stage stage_ = Stage::resting;
  bool serving_ = false;
  NodeName wanted_;  ///< where the shard is to be; nobody: stays
  NodeName taker_;   ///< of the attempt under way
  uint64_t attempt_ = 0;
  uint64_t readable_ = 0;
  bool caught_up_ = false;
  uint64_t sent_ = 0;
  uint64_t kept_ = 0;  ///< by the taker: as the giver knows it, and as the taker is
  uint64_t end_ = 0;   ///< where passing
  bool end_sent_ = false;
  bool flushed_ = false;    ///< by the taker, since few were to come: as `kept_` is
  bool idle_away_ = false;  ///< said, as the next, in this attempt
  bool nearly_ = false;
  uint64_t durable_ = 0;  ///< where taking
  uint64_t hold_number_ = 0;
  int64_t hold_micros_ = 0;  ///< how long calls are held, this time
  SteadyTime held_since_;
  SteadyTime hold_after_;      ///< not earlier
  bool hold_in_vain_ = false;  ///< the taker was silent all the while, and is still
  SteadyTime heard_;           ///< or said, last
  int64_t patience_micros_;
  SteadyTime answered_;
};

}  // namespace parley
