#include "tests/sim/workload.hpp"

#include <algorithm>
#include <utility>

namespace parley::sim {
namespace {

constexpr uint32_t k_clients = 5;
constexpr uint32_t k_tries = 6;
constexpr uint32_t k_tries_when_healed = 200;

bool said_nothing_done(const Attempt& attempt) { return attempt.result == Result::not_done; }

}  // namespace

Workload::Workload(Timeline& timeline, History& history, const SimJournal& journal,
                   const Leases& leases, const Rates& rates, const Mutations& mutations,
                   Stats& stats, uint32_t ops)
    : timeline_(timeline),
      history_(history),
      journal_(journal),
      leases_(leases),
      rates_(rates),
      mutations_(mutations),
      stats_(stats),
      ops_left_(ops),
      clients_(k_clients + 1) {}

void Workload::start() {
  for (uint32_t i = 0; i < clients_.size(); ++i) {
    timeline_.after(timeline_.rng.between(1, 3000), Do::client, i);
  }
}

bool Workload::idle() const {
  return ops_left_ == 0 && std::none_of(clients_.begin(), clients_.end() - 1,
                                        [](const Client& client) { return client.busy; });
}

bool Workload::releases_pending() const {
  for (uint8_t thread = 0; thread < k_threads; ++thread) {
    if (!journal_.state(thread).pending_releases.empty()) return true;
  }
  return clients_.back().busy;
}

// ---- choosing

void Workload::act(uint32_t id) {
  Client& client = clients_[id];
  if (client.busy) {
    const bool waits = (client.stage == Stage::fork_create && client.last_word) ||
                       (client.stage == Stage::fork_release && client.tries == 0);
    if (waits && may_still_be_created(client.child_history, id)) {
      return timeline_.after(1000, Do::client, id);
    }
    return send(id);
  }
  if (is_sweeper(id)) return begin_sweep(id);
  if (!final_.empty()) return begin_final_op(id);
  if (ops_left_ == 0) return timeline_.after(3000, Do::client, id);
  begin_some_op(id);
}

OpId Workload::add(Op op) {
  const auto id = static_cast<OpId>(history_.ops.size());
  op.first_body = static_cast<uint32_t>(history_.op_of_body.size());
  history_.op_of_body.insert(history_.op_of_body.end(), op.bodies, id);
  history_.ops.push_back(std::move(op));
  return id;
}

void Workload::begin(uint32_t id, Op op, Stage stage) {
  Client& client = clients_[id];
  client.busy = true;
  client.stage = stage;
  client.op = add(std::move(op));
  client.tries = 0;
  client.last_word = false;
  send(id);
}

void Workload::begin_some_op(uint32_t id) {
  --ops_left_;
  Op op = some_op();
  const Stage stage = op.kind == Kind::note_fork ? Stage::fork_note : Stage::single;
  if (stage == Stage::fork_note) clients_[id].note = static_cast<OpId>(history_.ops.size());
  begin(id, std::move(op), stage);
}

Op Workload::some_append(uint8_t thread) {
  Rng& rng = timeline_.rng;
  Op op{.kind = Kind::append, .thread = thread};
  op.bodies = static_cast<uint32_t>(1 + rng.below(3));
  op.with_request = !rng.chance(200);
  op.lenient = rng.chance(700);
  return op;
}

Op Workload::some_op() {
  Rng& rng = timeline_.rng;
  const auto thread = static_cast<uint8_t>(rng.below(k_threads));
  Op op{.kind = Kind::read, .thread = thread, .with_request = true};
  const uint64_t roll = rng.below(100);
  if (roll < 40) {
    op = some_append(thread);
  } else if (roll < 64) {
    op.with_request = false;
    if (rng.chance(300)) op.expected = seen_[thread];
    return op;
  } else if (roll < 70) {
    op.kind = Kind::create;
    op.lenient = rng.chance(500);
  } else if (roll < 76) {
    op.kind = Kind::update;
    if (rng.chance(250)) op.lifecycle = Lifecycle::archived;
    if (journal_.state(thread).lifecycle == Lifecycle::archived) op.lifecycle = Lifecycle::active;
  } else if (roll < 80) {
    op.kind = Kind::record_usage;
  } else if (roll < 84) {
    op.kind = Kind::reset;
  } else if (roll < 88 && !mutations_.no_deletions) {
    op.kind = Kind::remove;
    op.lenient = rng.chance(500);
  } else if (roll < 88) {
    op.kind = Kind::record_usage;
  } else {
    op.kind = Kind::note_fork;
    op.child = static_cast<uint8_t>((thread + 1 + rng.below(k_threads - 1)) % k_threads);
    if (rng.chance(600)) op.at = Sequence{rng.below(6)};
    return op;
  }
  if (rng.chance(150)) op.expected = seen_[thread];
  return op;
}

void Workload::finish() {
  finishing_ = true;
  for (uint8_t thread = 0; thread < k_threads; ++thread) {
    Op append{.kind = Kind::append, .thread = thread, .with_request = true, .lenient = true};
    append.bodies = 1;
    final_.push_back({.kind = Kind::read, .thread = thread});
    final_.push_back(append);
  }
}

/// One client does them all, in order.
void Workload::begin_final_op(uint32_t id) {
  if (id != 0) return timeline_.after(1000, Do::client, id);
  Op op = std::move(final_.back());
  final_.pop_back();
  begin(id, std::move(op), Stage::single);
}

// ---- sending and hearing

uint8_t Workload::some_node(uint8_t thread) {
  const int owner = leases_.owner(shard_of(thread));
  if (owner >= 0 && timeline_.rng.chance(700)) return static_cast<uint8_t>(owner);
  return static_cast<uint8_t>(timeline_.rng.below(k_nodes));
}

void Workload::send(uint32_t id) {
  Client& client = clients_[id];
  const Op& op = history_.ops[client.op];
  ++client.tries;
  const uint8_t node = some_node(op.thread);
  const bool twice = op.with_request && !client.last_word && timeline_.rng.chance(rates_.duplicate);
  send_attempt(id, node);
  if (twice)
    send_attempt(id, static_cast<uint8_t>((node + timeline_.rng.below(k_nodes)) % k_nodes));
}

void Workload::send_attempt(uint32_t client, uint8_t node) {
  const auto id = static_cast<AttemptId>(history_.attempts.size());
  Attempt attempt{.op = clients_[client].op, .node = node, .invoked = timeline_.step()};
  history_.ops[attempt.op].attempts.push_back(id);
  client_of_attempt_.push_back(client);
  timeline_.trace("send", id, attempt.op, history_.ops[attempt.op].thread,
                  static_cast<uint64_t>(history_.ops[attempt.op].kind));
  if (timeline_.rng.chance(rates_.request_lost)) {
    attempt.live = false;
  } else {
    int64_t there = timeline_.rng.between(10, 500);
    if (timeline_.rng.chance(rates_.slow)) there += k_lease / 2;
    timeline_.after(there, Do::arrive, id);
  }
  timeline_.after(timeline_.rng.between(6'000, 40'000), Do::time_out, id);
  history_.attempts.push_back(std::move(attempt));
}

void Workload::respond(AttemptId id) {
  Attempt& attempt = history_.attempts[id];
  if (attempt.result != Result::pending) return;  // nobody waits any more
  attempt.result = attempt.reply;
  attempt.returned = timeline_.step();
  timeline_.trace("respond", id, attempt.op, static_cast<uint64_t>(attempt.result));
  if (attempt.result == Result::ok) {
    const Op& op = history_.ops[attempt.op];
    const bool read = op.kind == Kind::read;
    seen_[op.thread] = read ? attempt.view.version : attempt.receipt.version;
    ++(read ? stats_.reads : stats_.acked);
  }
  if (attempt.result == Result::refused) {
    seen_[history_.ops[attempt.op].thread] = attempt.refusal.current;
    ++stats_.refused;
  }
  if (attempt.result == Result::unknown) ++stats_.unknown;
  consider(id);
}

void Workload::time_out(AttemptId id) {
  Attempt& attempt = history_.attempts[id];
  if (attempt.result != Result::pending) return;
  attempt.result = Result::unknown;
  consider(id);
}

/// An answer settles an op; when all attempts so far failed, it is tried again.
void Workload::consider(AttemptId heard) {
  const uint32_t id = client_of_attempt_[heard];
  const Client& client = clients_[id];
  if (!client.busy || client.op != history_.attempts[heard].op) return;  // it has moved on
  const Op& op = history_.ops[client.op];
  // Earlier answers do not count: it is about to ask again, or has.
  if (client.last_word && (client.tries == 0 || heard != op.attempts.back())) return;
  bool waiting = false;
  for (auto each = op.attempts.rbegin(); each != op.attempts.rend(); ++each) {
    const Attempt& attempt = history_.attempts[*each];
    waiting = waiting || attempt.result == Result::pending;
    if (attempt.result == Result::ok || attempt.result == Result::refused) {
      return conclude(id, &attempt);
    }
    if (client.last_word) break;
  }
  if (!waiting) give_up_or_retry(id);
}

void Workload::give_up_or_retry(uint32_t id) {
  Client& client = clients_[id];
  const Op& op = history_.ops[client.op];
  // Without a request id only what was certainly not done may be tried again.
  const bool may_retry = op.with_request || op.kind >= Kind::release_fork ||
                         std::all_of(op.attempts.begin(), op.attempts.end(), [&](AttemptId each) {
                           return said_nothing_done(history_.attempts[each]);
                         });
  const uint32_t tries = finishing_ ? k_tries_when_healed : k_tries;
  if (!may_retry || client.tries >= tries) return conclude(id, nullptr);
  timeline_.after(timeline_.rng.between(100, 6000), Do::client, id);
}

// ---- what comes next

void Workload::rest(uint32_t id) {
  clients_[id].busy = false;
  timeline_.after(timeline_.rng.between(100, 5000), Do::client, id);
}

void Workload::conclude(uint32_t id, const Attempt* attempt) {
  Client& client = clients_[id];
  switch (client.stage) {
    case Stage::fork_note:
      return conclude_fork_note(id, attempt);
    case Stage::fork_create:
      return conclude_fork_create(id, attempt);
    case Stage::sweep_release:
      if (attempt == nullptr) return rest(id);
      ++stats_.releases;
      return begin(id,
                   {.kind = Kind::confirm_release,
                    .thread = client.child,
                    .child_history = client.child_history},
                   Stage::sweep_confirm);
    case Stage::single:
    case Stage::fork_release:
    case Stage::sweep_confirm:
      if (attempt == nullptr && finishing_) silent_ = history_.ops[client.op].thread;
      if (attempt != nullptr && attempt->result == Result::ok &&
          history_.ops[client.op].kind == Kind::remove) {
        ++stats_.deletions;
      }
      return rest(id);
  }
}

void Workload::conclude_fork_note(uint32_t id, const Attempt* attempt) {
  Client& client = clients_[id];
  const bool noted = attempt != nullptr && attempt->result == Result::ok;
  if (!noted || !attempt->fork || timeline_.rng.chance(50)) return rest(id);
  client.child_history = attempt->fork->parent.child_history;
  begin(id,
        {.kind = Kind::create_fork,
         .thread = history_.ops[client.note].child,
         .with_request = true,
         .fork = attempt->fork,
         .child_history = client.child_history},
        Stage::fork_create);
}

void Workload::conclude_fork_create(uint32_t id, const Attempt* attempt) {
  Client& client = clients_[id];
  if (attempt == nullptr) {
    if (!timeline_.rng.chance(500)) return rest(id);
    client.stage = Stage::fork_note;  // whoever carried it out is gone: the client asks again
    client.op = client.note;
    client.tries = 0;
    client.last_word = false;
    return send(id);
  }
  if (attempt->result == Result::ok) {
    ++stats_.forks;
    return rest(id);
  }
  if (attempt->refusal.reason != Reason::conversation_exists) return rest(id);
  if (!client.last_word && !mutations_.early_release) {
    // An attempt of unknown outcome, or still on its way, may yet have created the child, or create
    // it.
    client.last_word = true;
    client.tries = 0;
    return timeline_.after(1, Do::client, id);
  }
  client.stage = Stage::fork_release;
  client.last_word = false;
  client.op = add({.kind = Kind::release_fork,
                   .thread = history_.ops[client.note].thread,
                   .child_history = client.child_history});
  client.tries = 0;
  timeline_.after(1, Do::client, id);
}

/// A call that knows this history is under way: releasing it now could leave a child without its
/// past.
bool Workload::may_still_be_created(const Id128& child_history, uint32_t except) const {
  if (mutations_.early_release) return false;
  for (uint32_t i = 0; i < clients_.size(); ++i) {
    const Client& client = clients_[i];
    const bool forks = client.stage >= Stage::fork_note && client.stage <= Stage::fork_release;
    if (i != except && client.busy && forks && client.child_history == child_history) return true;
  }
  return std::any_of(history_.attempts.begin(), history_.attempts.end(), [&](const Attempt& each) {
    const Op& op = history_.ops[each.op];
    return each.live && op.kind == Kind::create_fork && op.child_history == child_history;
  });
}

void Workload::begin_sweep(uint32_t id) {
  Client& client = clients_[id];
  const auto first = static_cast<uint8_t>(timeline_.rng.below(k_threads));
  for (uint8_t i = 0; i < k_threads; ++i) {
    client.child = static_cast<uint8_t>((first + i) % k_threads);
    const auto& pending = journal_.state(client.child).pending_releases;
    if (pending.empty()) continue;
    const ParentLink& link = pending[timeline_.rng.below(pending.size())];
    if (may_still_be_created(link.child_history, id)) continue;
    client.child_history = link.child_history;
    return begin(id,
                 {.kind = Kind::release_fork,
                  .thread = thread_of(link.thread),
                  .child_history = link.child_history},
                 Stage::sweep_release);
  }
  timeline_.after(2000, Do::client, id);
}

}  // namespace parley::sim
