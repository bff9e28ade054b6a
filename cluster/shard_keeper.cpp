#include "cluster/shard_keeper.hpp"

#include <chrono>
#include <utility>

#include "base/check.hpp"
#include "base/log.hpp"

namespace parley {
namespace {

constexpr auto k_tick = std::chrono::milliseconds(20);
constexpr int64_t k_anew_after_micros = 500'000;
/// Shards on their way from one node: while the calls of one are held, others' rows wait.
constexpr int k_at_once = 2;
/// A node that is away for less goes on where it was.
constexpr int64_t k_silence_micros_max = 2'000'000;
/// Of rows: under way of one shard, and in one letter; a single piece may have more.
constexpr size_t k_under_way_bytes_max = 1U << 20;
constexpr size_t k_letter_bytes_max = 256U << 10;
/// Letters that come while this thread does something long; those beyond come again.
constexpr size_t k_waiting_bytes_max = 16U << 20;

}  // namespace

ShardKeeper::ShardKeeper(Options options, ShardHost& host)
    : options_(std::move(options)),
      host_(host),
      kept_(options_.shard_count),
      looks_(options_.shard_count) {}

void ShardKeeper::start() {
  for (uint32_t i = 0; i < options_.shard_count; ++i) begin({static_cast<uint16_t>(i)});
  thread_.start(k_tick, [this] { tick(); });
}

void ShardKeeper::stop() {
  thread_.stop();
  kept_.clear();
}

void ShardKeeper::want(Shard shard, NodeName where) {
  thread_.post([this, shard, where = std::move(where)] {
    Kept& it = kept(shard);
    if (it.baton && it.baton->holding().kind != Holding::Kind::owned) return;
    it.wanted = where;
    it.waits = true;
    publish(shard);
    begin_moves();
  });
}

void ShardKeeper::begin_moves() {
  int under_way = 0;
  for (const Kept& it : kept_) under_way += is_giving(it) ? 1 : 0;
  for (uint32_t i = 0; i < options_.shard_count; ++i) {
    Kept& it = kept_[i];
    if (!it.waits || !it.baton) continue;
    // What is under way already, or is to stay, needs no place.
    const bool begins = it.wanted != options_.self && !is_giving(it);
    if (begins && (under_way >= k_at_once || !host_.reaches(it.wanted))) continue;
    under_way += begins ? 1 : 0;
    tell_wish({static_cast<uint16_t>(i)});
  }
}

void ShardKeeper::set_aside(Shard shard) {
  Kept& it = kept(shard);
  if (!is_giving(it) || host_.reaches(it.taker)) return;
  if (options_.now().micros - it.baton->answered().micros < k_silence_micros_max) return;
  step(shard, [&](Baton& baton, SteadyTime now, Baton::Outputs& out) {
    baton.want({}, options_.random(), now, out);
  });
  it.waits = true;
}

void ShardKeeper::tell_wish(Shard shard) {
  Kept& it = kept(shard);
  it.waits = false;
  step(shard, [&](Baton& baton, SteadyTime now, Baton::Outputs& out) {
    baton.want(it.wanted, options_.random(), now, out);
  });
}

void ShardKeeper::receive(NodeName from, std::string message) {
  if (letter_bytes_ > k_waiting_bytes_max) return;
  letter_bytes_ += message.size();
  thread_.post([this, from = std::move(from), message = std::move(message)] {
    letter_bytes_ -= message.size();
    const auto letter = parse_letter(message);
    if (!letter || letter->shard.value >= options_.shard_count) {
      return spdlog::warn("node {} says of a shard what cannot be read", from.value);
    }
    step(
        letter->shard,
        [&](Baton& baton, SteadyTime now, Baton::Outputs& out) {
          baton.receive(from, letter->message, now, out);
        },
        &*letter);
    feed(letter->shard);
  });
}

std::vector<ShardKeeper::Look> ShardKeeper::look() const {
  const std::lock_guard lock(mutex_);
  return looks_;
}

void ShardKeeper::tick() {
  const SteadyTime now = options_.now();
  for (uint32_t i = 0; i < options_.shard_count; ++i) {
    const Shard shard{static_cast<uint16_t>(i)};
    if (!kept(shard).baton) {
      if (kept(shard).anew_at <= now) begin(shard);
    } else if (!kept(shard).baton->resting()) {
      feed(shard);
      step(shard, [](Baton& baton, SteadyTime at, Baton::Outputs& out) { baton.tick(at, out); });
      set_aside(shard);
    }
  }
  begin_moves();
}

void ShardKeeper::begin(Shard shard) {
  const auto holding = host_.recorded(shard);
  if (!holding.ok()) return give_up(shard, holding.status());
  Kept& it = kept(shard);
  if (holding->kind != Holding::Kind::owned) {
    it.wanted = {};
    // Calls may still be held that were when it was given up.
    const KnownOwner owner = owner_by(*holding, options_.self);
    if (Status status = host_.stop_serving(shard, owner.node, owner.epoch); !status.ok()) {
      return give_up(shard, status);
    }
  }
  it.baton = std::make_unique<Baton>(options_.self, *holding, options_.limits);
  step(shard, [](Baton& baton, SteadyTime now, Baton::Outputs& out) { baton.start(now, out); });
  it.waits = !it.wanted.value.empty();
}

void ShardKeeper::give_up(Shard shard, const Status& why) {
  spdlog::error("moving shard {}, to be tried again from what is recorded: {}", shard.value,
                why.ToString());
  Kept& it = kept(shard);
  if (it.baton && it.baton->holding().kind == Holding::Kind::owned) host_.hold(shard, [] {});
  it.baton.reset();
  it.outflow.reset();
  it.hold = 0;
  it.anew_at = {options_.now().micros + k_anew_after_micros};
  publish(shard);
}

void ShardKeeper::step(Shard shard, const Decide& decide, const ShardLetter* letter) {
  Kept& it = kept(shard);
  if (!it.baton) return;
  Baton::Outputs outputs;
  decide(*it.baton, options_.now(), outputs);
  for (const baton::Output& output : outputs) {
    if (Status status = perform(shard, output, letter); !status.ok()) {
      return give_up(shard, status);
    }
    it.passed = it.passed || std::holds_alternative<baton::StopServing>(output);
  }
  if (std::exchange(it.passed, false)) {
    // The wish is fulfilled: it may be another one's to have the shard back.
    it.wanted = {};
    it.waits = false;
    Baton::Outputs none;
    it.baton->want({}, options_.random(), options_.now(), none);
    PARLEY_CHECK(none.empty());
  }
  publish(shard);
}

Status ShardKeeper::perform(Shard shard, const baton::Output& output, const ShardLetter* letter) {
  Kept& it = kept(shard);
  if (const auto* wish = std::get_if<baton::Record>(&output)) {
    return host_.record(shard, wish->holding);
  }
  if (std::holds_alternative<baton::Erase>(output)) return host_.erase(shard);
  if (std::holds_alternative<baton::Flush>(output)) return host_.flush();
  if (const auto* rows = std::get_if<baton::Store>(&output)) {
    return store(shard, rows->first, *letter);
  }
  if (const auto* serve = std::get_if<baton::Serve>(&output)) {
    return host_.serve(shard, serve->epoch);
  }
  if (const auto* stop = std::get_if<baton::StopServing>(&output)) {
    spdlog::info("shard {} is node {}'s, its calls waited for {} ms", shard.value, stop->to.value,
                 (options_.now().micros - it.held_at.micros) / 1'000);
    return host_.stop_serving(shard, stop->to, it.baton->holding().epoch);
  }
  if (const auto* letter_out = std::get_if<baton::Send>(&output)) {
    send(shard, *letter_out);
  } else if (const auto* copy = std::get_if<baton::StartCopy>(&output)) {
    it.outflow.emplace(Outflow{host_.copy(shard), copy->attempt, {}});
  } else if (std::holds_alternative<baton::StopCopy>(output)) {
    it.outflow.reset();
  } else if (std::holds_alternative<baton::PutIdleAway>(output)) {
    host_.put_idle_away(shard);
  } else if (const auto* hold = std::get_if<baton::HoldCalls>(&output)) {
    it.hold = hold->number;
    it.held_at = options_.now();
    host_.hold(shard, [this, shard, number = hold->number] {
      thread_.post([this, shard, number] { on_held(shard, number); });
    });
  } else if (std::holds_alternative<baton::ResumeCalls>(output)) {
    it.hold = 0;
    host_.resume(shard);
  }
  return absl::OkStatus();
}

Status ShardKeeper::store(Shard shard, uint64_t first, const ShardLetter& letter) {
  const auto& sent = std::get<baton::Rows>(letter.message);
  for (uint64_t position = first; position <= sent.last; ++position) {
    Status status = host_.take(shard, letter.rows[position - sent.first]);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void ShardKeeper::send(Shard shard, const baton::Send& send) {
  if (const auto* rows = std::get_if<baton::Rows>(&send.message)) {
    return send_rows(shard, send.to, *rows);
  }
  if (std::holds_alternative<baton::Offer>(send.message)) kept(shard).taker = send.to;
  host_.send(send.to, encode_letter({shard, send.message, {}}));
}

/// As several letters where it is much: each is to pass by those of calls.
void ShardKeeper::send_rows(Shard shard, const NodeName& to, const baton::Rows& rows) {
  const Kept& it = kept(shard);
  baton::Rows part = rows;
  do {
    ShardLetter letter{shard, {}, {}};
    size_t bytes = 0;
    part.last = part.first - 1;
    while (part.last < rows.last && bytes < k_letter_bytes_max) {
      letter.rows.push_back(it.outflow->pieces[++part.last - it.outflow->first]);
      bytes += letter.rows.back().size();
    }
    part.end = rows.end && part.last == rows.last;
    part.nearly = rows.nearly && part.last == rows.last;
    letter.message = part;
    host_.send(to, encode_letter(letter));
    part.first = part.last + 1;
  } while (part.first <= rows.last);
}

uint64_t ShardKeeper::Outflow::last_to_send() const {
  uint64_t last = first - 1;
  size_t bytes = 0;
  for (const std::string& piece : pieces) {
    bytes += piece.size();
    if (last >= first && bytes > k_under_way_bytes_max) break;
    ++last;
  }
  return last;
}

void ShardKeeper::on_held(Shard shard, uint64_t number) {
  Kept& it = kept(shard);
  // Where calls went on meanwhile there might be no end to what is to be read.
  if (!it.baton || !it.outflow || it.hold != number) return;
  Status status = host_.settle();
  if (status.ok()) status = read_on(*it.outflow, true);
  if (!status.ok()) return copy_anew(shard, status);
  const uint64_t end = it.outflow->last();
  step(shard, [&](Baton& baton, SteadyTime now, Baton::Outputs& out) {
    baton.held(number, end, now, out);
  });
}

Status ShardKeeper::read_on(Outflow& outflow, bool all) const {
  while (all || outflow.pieces.size() < 2 * options_.limits.window) {
    auto piece = outflow.copy->next();
    if (!piece.ok()) return piece.status();
    if (piece->empty()) break;
    outflow.pieces_bytes += piece->size();
    outflow.pieces.push_back(*std::move(piece));
  }
  return absl::OkStatus();
}

void ShardKeeper::feed(Shard shard) {
  Kept& it = kept(shard);
  if (!it.baton || !it.outflow) return;
  Outflow& outflow = *it.outflow;
  for (; !outflow.pieces.empty() && outflow.first <= it.baton->let_go(); ++outflow.first) {
    outflow.pieces_bytes -= outflow.pieces.front().size();
    outflow.pieces.pop_front();
  }
  if (Status status = read_on(outflow, false); !status.ok()) return copy_anew(shard, status);
  const uint64_t last = outflow.last_to_send();
  const bool caught_up = outflow.copy->caught_up() && last == outflow.last();
  step(shard, [&](Baton& baton, SteadyTime now, Baton::Outputs& out) {
    baton.readable(outflow.attempt, last, caught_up, now, out);
  });
}

void ShardKeeper::copy_anew(Shard shard, const Status& why) {
  spdlog::warn("copying shard {}, to be begun anew: {}", shard.value, why.ToString());
  Kept& it = kept(shard);
  const uint64_t attempt = it.outflow->attempt;
  step(shard, [&](Baton& baton, SteadyTime now, Baton::Outputs& out) {
    baton.receive(it.taker, baton::Lost{attempt}, now, out);
  });
}

void ShardKeeper::publish(Shard shard) {
  const Kept& it = kept(shard);
  Look look;
  look.wanted = it.wanted;
  if (it.baton) {
    look.holding = it.baton->holding();
    look.resting = it.baton->resting();
    look.serving = it.baton->serving();
  }
  if (it.outflow) {
    look.behind_bytes = it.outflow->pieces_bytes;
    look.caught_up = it.outflow->copy->caught_up();
  }
  const std::lock_guard lock(mutex_);
  looks_[shard.value] = std::move(look);
}

}  // namespace parley
