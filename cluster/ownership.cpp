#include "cluster/ownership.hpp"

#include <algorithm>
#include <utility>

namespace parley {

using Kind = Holding::Kind;

KnownOwner owner_by(const Holding& holding, const NodeName& self) {
  if (holding.kind == Kind::owned) return {self, holding.epoch};
  // What comes in is the giver's until it says otherwise.
  const bool coming = holding.kind == Kind::receiving || holding.kind == Kind::complete;
  return {holding.peer, {holding.epoch.value - (coming ? 1 : 0)}};
}

Baton::Baton(NodeName self, Holding stored, BatonLimits limits)
    : self_(std::move(self)),
      limits_(limits),
      holding_(std::move(stored)),
      patience_micros_(limits.patience_micros) {}

void Baton::start(SteadyTime now, Outputs& out) {
  hear(now);
  switch (holding_.kind) {
    case Kind::absent:
      return;
    case Kind::owned:
      return serve(now, out);
    case Kind::given:
      stage_ = Stage::telling;
      return say_again(out);
    case Kind::receiving:
    case Kind::complete:
      stage_ = Stage::stranded;
      return say_again(out);
  }
}

void Baton::want(const NodeName& where, uint64_t attempt, SteadyTime now, Outputs& out) {
  if (wanted_ == where) return;
  wanted_ = where;
  if (giving()) stop_giving(out);
  attempt_ = attempt;
  if (holding_.kind == Kind::owned) offer_if_wanted(now, out);
}

void Baton::receive(const NodeName& from, const baton::Message& message, SteadyTime now,
                    Outputs& out) {
  std::visit([&](const auto& what) { on(from, what, now, out); }, message);
}

void Baton::tick(SteadyTime now, Outputs& out) {
  if (calls_held() && now.micros - held_since_.micros >= hold_micros_) {
    stage_ = Stage::copying;
    serving_ = true;
    // Why longer: a disk may be too slow for less. Why not at once: calls are to get on between.
    hold_after_ = {now.micros + hold_micros_};
    hold_micros_ = std::min(2 * hold_micros_, limits_.held_micros_max);
    hold_in_vain_ = answered_ <= held_since_;
    out.emplace_back(baton::ResumeCalls{});
  }
  if (stage_ == Stage::copying) maybe_hold(now, out);
  if (stage_ == Stage::resting || now.micros - heard_.micros < patience_micros_) return;
  heard_ = now;
  patience_micros_ = std::min(2 * patience_micros_, limits_.patience_micros_max);
  say_again(out);
}

void Baton::hear(SteadyTime now) {
  heard_ = now;
  patience_micros_ = limits_.patience_micros;
}

// --- Giving.

void Baton::offer_if_wanted(SteadyTime now, Outputs& out) {
  if (!wanted_.value.empty() && wanted_ != self_) offer(now, out);
}

void Baton::offer(SteadyTime now, Outputs& out) {
  stage_ = Stage::offering;
  taker_ = wanted_;
  ++attempt_;
  readable_ = sent_ = kept_ = end_ = 0;
  caught_up_ = hold_in_vain_ = flushed_ = nearly_ = idle_away_ = false;
  hold_micros_ = limits_.held_micros;
  answered_ = hold_after_ = now;
  hear(now);
  out.emplace_back(baton::Send{taker_, baton::Offer{{holding_.epoch.value + 1}, attempt_}});
}

void Baton::stop_giving(Outputs& out) {
  if (calls_held()) out.emplace_back(baton::ResumeCalls{});
  if (stage_ != Stage::offering) out.emplace_back(baton::StopCopy{});
  out.emplace_back(baton::Send{taker_, baton::Withdraw{attempt_}});
  serving_ = true;
  stage_ = Stage::resting;
}

void Baton::on(const NodeName& from, const baton::Accept& accept, SteadyTime now, Outputs& out) {
  if (stage_ != Stage::offering || accept.attempt != attempt_ || from != taker_) return;
  stage_ = Stage::copying;
  answered_ = now;
  hear(now);
  out.emplace_back(baton::StartCopy{attempt_});
}

void Baton::readable(uint64_t attempt, uint64_t up_to, bool caught_up, SteadyTime now,
                     Outputs& out) {
  if (attempt != attempt_ || !giving()) return;
  readable_ = up_to;
  caught_up_ = caught_up;
  send_rows(out);
  maybe_hold(now, out);
}

void Baton::send_rows(Outputs& out) {
  const bool passing = stage_ == Stage::passing;
  const uint64_t last = std::min(readable_, kept_ + limits_.window);
  const bool end = passing && last == end_;
  // Why the end once: each time is answered, and what each answer brought about would be, too.
  if (last <= sent_ && (!end || end_sent_)) return;
  say_rows(last, end, out);
  end_sent_ = end;
}

void Baton::say_rows(uint64_t last, bool end, Outputs& out) {
  // Why in each: one that gets lost is not missed as long as others are answered.
  const bool nearly = nearly_ && !flushed_;
  out.emplace_back(baton::Send{taker_, baton::Rows{attempt_, sent_ + 1, last, end, kept_, nearly}});
  sent_ = last;
}

void Baton::maybe_hold(SteadyTime now, Outputs& out) {
  if (stage_ != Stage::copying || !caught_up_ || readable_ - kept_ > limits_.lag_max) return;
  if (!flushed_) return prepare_hold(out);
  if (now < hold_after_ || hold_in_vain_) return;
  stage_ = Stage::holding;
  serving_ = false;
  held_since_ = now;
  out.emplace_back(baton::HoldCalls{++hold_number_});
}

void Baton::prepare_hold(Outputs& out) {
  // First, because what it writes is to be sent and made durable with the rest.
  if (!std::exchange(idle_away_, true)) {
    out.emplace_back(baton::PutIdleAway{});
  } else if (!std::exchange(nearly_, true)) {
    say_rows(sent_, false, out);
  }
}

void Baton::held(uint64_t number, uint64_t end, SteadyTime, Outputs& out) {
  if (stage_ != Stage::holding || number != hold_number_) return;
  stage_ = Stage::passing;
  readable_ = end_ = end;
  end_sent_ = false;
  send_rows(out);
}

void Baton::on(const NodeName& from, const baton::Kept& kept, SteadyTime now, Outputs& out) {
  if (!giving() || kept.attempt != attempt_ || from != taker_) return;
  answered_ = now;
  hear(now);
  hold_in_vain_ = false;
  flushed_ = flushed_ || kept.flushed;
  kept_ = std::max(kept_, kept.up_to);
  // What was complete once lacks what came since, where calls went on meanwhile.
  if (stage_ == Stage::passing && kept.complete && kept.up_to == end_) return pass(out);
  send_rows(out);
  maybe_hold(now, out);
}

void Baton::pass(Outputs& out) {
  // Nobody serves from here until the taker has recorded that it owns.
  record({Kind::given, {holding_.epoch.value + 1}, taker_, attempt_}, out);
  stage_ = Stage::telling;
  out.emplace_back(baton::StopCopy{});
  out.emplace_back(baton::StopServing{taker_});
  say_again(out);
}

void Baton::on(const NodeName& from, const baton::Lost& lost, SteadyTime now, Outputs& out) {
  // Of a shard that is given already this tells of a damaged taker: its rows stay here.
  if (!giving() || lost.attempt != attempt_ || from != taker_) return;
  stop_giving(out);
  offer(now, out);
}

void Baton::on(const NodeName& from, const baton::Taken& taken, SteadyTime, Outputs& out) {
  if (stage_ != Stage::telling || taken.attempt != holding_.attempt || from != holding_.peer)
    return;
  forget(holding_, out);
}

void Baton::on(const NodeName& from, const baton::Ask& ask, SteadyTime, Outputs& out) {
  if (stage_ == Stage::telling && ask.attempt == holding_.attempt) return say_again(out);
  if (giving() && ask.attempt == attempt_) return;
  // An epoch is given by one attempt, and only its taker goes on to a higher one. What is not known
  // here is not answered: a node that lost its storage must not let the last copy be erased.
  const bool owner = holding_.kind == Kind::owned;
  const Epoch decided = owner ? Epoch{holding_.epoch.value + 1} : known();
  if (ask.epoch > decided || (!owner && ask.attempt == holding_.attempt)) return;
  out.emplace_back(baton::Send{from, baton::Withdraw{ask.attempt}});
}

// --- Taking.

void Baton::on(const NodeName& from, const baton::Offer& offer, SteadyTime now, Outputs& out) {
  const bool taking = holding_.kind == Kind::receiving || holding_.kind == Kind::complete;
  const bool newer = offer.epoch > holding_.epoch;
  if (holding_.kind == Kind::owned || offer.epoch < holding_.epoch || (!taking && !newer)) return;
  if (taking && !newer) {
    if (offer.attempt == holding_.attempt) return accept_again(from, out);
    // The offer may be an old one, and the giver may have recorded that it gave: it must say so.
    if (holding_.kind == Kind::complete) return say_again(out);
  }
  // What is here is nobody's: under a higher epoch somebody else has had the shard since, and what
  // is not complete was never given.
  out.emplace_back(baton::Erase{});
  record({Kind::receiving, offer.epoch, from, offer.attempt}, out);
  stage_ = Stage::taking;
  kept_ = durable_ = 0;
  flushed_ = false;
  hear(now);
  out.emplace_back(baton::Send{from, baton::Accept{offer.attempt}});
}

void Baton::accept_again(const NodeName& from, Outputs& out) {
  if (stage_ == Stage::taking && kept_ == 0) {
    out.emplace_back(baton::Send{from, baton::Accept{holding_.attempt}});
  } else if (stage_ == Stage::stranded) {
    out.emplace_back(baton::Send{from, baton::Lost{holding_.attempt}});
  }
}

void Baton::on(const NodeName& from, const baton::Rows& rows, SteadyTime now, Outputs& out) {
  const bool expected = (stage_ == Stage::taking || stage_ == Stage::waiting) &&
                        rows.attempt == holding_.attempt && from == holding_.peer &&
                        rows.kept <= kept_;
  if (!expected) {
    out.emplace_back(baton::Send{from, baton::Lost{rows.attempt}});
    return;
  }
  hear(now);
  if (rows.first <= kept_ + 1 && rows.last > kept_) {
    // Where waiting: calls went on at the giver's after it had said that this was all.
    out.emplace_back(baton::Store{kept_ + 1});
    kept_ = rows.last;
  }
  const bool end = rows.end && rows.last == kept_;
  if (end || (rows.nearly && !flushed_)) flush(out);
  if (end && stage_ == Stage::taking) {
    record({Kind::complete, holding_.epoch, holding_.peer, holding_.attempt}, out);
    stage_ = Stage::waiting;
  }
  // Why durable: whoever says that all of it is here is believed.
  const bool complete = stage_ == Stage::waiting && durable_ == kept_;
  out.emplace_back(baton::Send{from, baton::Kept{rows.attempt, kept_, complete, flushed_}});
}

void Baton::flush(Outputs& out) {
  flushed_ = true;
  if (durable_ == kept_) return;
  out.emplace_back(baton::Flush{});
  durable_ = kept_;
}

void Baton::on(const NodeName& from, const baton::Take& take, SteadyTime now, Outputs& out) {
  if (holding_.kind == Kind::complete && take.attempt == holding_.attempt) {
    record({Kind::owned, take.epoch, {}, 0}, out);
    out.emplace_back(baton::Send{from, baton::Taken{take.attempt}});
    return serve(now, out);
  }
  // Had it already, perhaps gave it on since.
  if (known() >= take.epoch) out.emplace_back(baton::Send{from, baton::Taken{take.attempt}});
}

void Baton::on(const NodeName& from, const baton::Withdraw& withdraw, SteadyTime, Outputs& out) {
  const bool taking = holding_.kind == Kind::receiving || holding_.kind == Kind::complete;
  if (!taking || withdraw.attempt != holding_.attempt || from != holding_.peer) return;
  forget({Kind::absent, known(), holding_.peer, 0}, out);
}

// --- Both.

void Baton::serve(SteadyTime now, Outputs& out) {
  stage_ = Stage::resting;
  serving_ = true;
  out.emplace_back(baton::Serve{holding_.epoch});
  offer_if_wanted(now, out);
}

void Baton::record(Holding holding, Outputs& out) {
  holding_ = std::move(holding);
  serving_ = false;
  out.emplace_back(baton::Record{holding_});
}

Epoch Baton::known() const {
  const bool taking = holding_.kind == Kind::receiving || holding_.kind == Kind::complete;
  return taking ? Epoch{holding_.epoch.value - 1} : holding_.epoch;
}

void Baton::forget(Holding last, Outputs& out) {
  last.kind = Kind::absent;
  out.emplace_back(baton::Erase{});
  record(std::move(last), out);
  stage_ = Stage::resting;
}

void Baton::say_again(Outputs& out) {
  switch (stage_) {
    case Stage::resting:
    case Stage::holding:
      return;
    case Stage::offering:
      out.emplace_back(baton::Send{taker_, baton::Offer{{holding_.epoch.value + 1}, attempt_}});
      return;
    case Stage::copying:
    case Stage::passing: {
      // From what is known to have arrived; without rows it still asks for an answer.
      sent_ = kept_;
      end_sent_ = false;
      const size_t before = out.size();
      send_rows(out);
      if (out.size() == before) say_rows(kept_, false, out);
      return;
    }
    case Stage::telling:
      out.emplace_back(baton::Send{holding_.peer, baton::Take{holding_.epoch, holding_.attempt}});
      return;
    case Stage::taking:
    case Stage::stranded:
    case Stage::waiting:
      out.emplace_back(baton::Send{holding_.peer, baton::Ask{holding_.epoch, holding_.attempt}});
      return;
  }
}

}  // namespace parley
