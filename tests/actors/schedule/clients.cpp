#include "tests/actors/schedule/clients.hpp"

#include <algorithm>
#include <utility>

#include "conversation/fork.hpp"

namespace parley::schedule {
namespace {

/// Retries come for one of this many ops.
constexpr size_t k_retried_of = 12;
constexpr int k_nested_max = 3;

Command command_of(const Op& op, size_t number, const std::string& child) {
  CreateConversation create;
  create.title = body_of(number);
  switch (op.kind) {
    case Kind::append: {
      AppendMessages append;
      for (size_t i = 0; i < op.bodies; ++i) {
        append.messages.push_back(
            {Role::user, std::make_shared<const std::string>(body_of(number)), std::nullopt});
      }
      if (op.lenient) append.create_if_missing = create;
      return append;
    }
    case Kind::create:
      create.get_or_create = op.lenient;
      return create;
    case Kind::update: {
      UpdateConversation update;
      update.title = body_of(number);
      return update;
    }
    case Kind::reset:
      return ResetConversation{};
    case Kind::remove:
      return DeleteConversation{op.lenient};
    case Kind::note_fork:
      return NoteFork{child, std::nullopt};
    case Kind::fork:
    case Kind::read:
      create.fork = op.fork;
      return create;
  }
  return create;
}

Call::Kind what_of(const Op& op, size_t number, const std::string& child) {
  if (op.kind == Kind::read) return Read{op.expected.value_or(Version{})};
  CommandMeta meta;
  if (op.with_request) meta.request = request_of(number);
  meta.digest = number;
  meta.expected = op.expected;
  return Mutate{command_of(op, number, child), meta, true};
}

}  // namespace

class Clients::Sent final : public Call {
 public:
  Sent(Clients& clients, size_t number, bool late)
      : clients_(clients), number_(number), late_(late) {
    const Op& op = clients.stage_.record.ops[attempt().op];
    to = clients.stage_.address(op.thread);
    what = what_of(op, attempt().op, clients.stage_.address(op.child).key.thread);
  }
  [[nodiscard]] bool expired() const override { return late_; }
  void render(const State& state, const RecentMessages& recent) override {
    attempt().rendered = state.version;
    if (!recent.empty() && recent.all().back().sequence != state.last_sequence) {
      clients_.stage_.fail("the hot window does not end with the last message");
    }
  }
  void answer(Outcome outcome, bool replayed) override {
    clients_.answered(number_, std::move(outcome), replayed);
  }
  void fail(Status) override { clients_.answered(number_, std::nullopt, false); }
  void events(std::vector<std::shared_ptr<const EventList>>) override {
    clients_.stage_.fail("a call that follows nothing was given events");
  }
  void look_back(Version) override {
    clients_.stage_.fail("a call that follows nothing was sent to look back");
  }

 private:
  Attempt& attempt() { return clients_.stage_.record.attempts[number_]; }

  Clients& clients_;
  const size_t number_;
  const bool late_;
};

Op Clients::draw() {
  sim::Rng& rng = stage_.rng;
  Op op;
  // Most of what happens shall happen to the same conversations.
  op.thread = std::min(rng.below(k_threads), rng.below(k_threads + 1));
  op.with_request = rng.chance(700);
  op.lenient = rng.chance(700);
  const uint64_t roll = rng.below(100);
  op.kind = roll < 45   ? Kind::append
            : roll < 52 ? Kind::create
            : roll < 57 ? Kind::update
            : roll < 61 ? Kind::reset
            : roll < 68 ? Kind::remove
            : roll < 74 ? Kind::note_fork
                        : Kind::read;
  // What leaves no other trace in the log is found there by its request id.
  if (op.kind != Kind::append) op.with_request = op.kind != Kind::read;
  if (op.kind == Kind::append) op.bodies = 1 + rng.below(3);
  if (op.kind == Kind::note_fork) op.child = rng.below(k_threads);
  if (rng.chance(100)) op.expected = Version{rng.below(8)};
  return op;
}

void Clients::call() { send(draw()); }

void Clients::send(Op op) {
  stage_.record.ops.push_back(std::move(op));
  attempt(stage_.record.ops.size() - 1);
}

void Clients::retry() {
  const auto& ops = stage_.record.ops;
  if (ops.empty()) return;
  const size_t back = stage_.rng.below(std::min(ops.size(), k_retried_of));
  const Op& op = ops[ops.size() - 1 - back];
  // Why no fork: that a fork is not made again once it was released is its caller's part.
  if (op.with_request && op.kind != Kind::fork) attempt(ops.size() - 1 - back);
}

void Clients::attempt(size_t op) {
  auto& attempts = stage_.record.attempts;
  attempts.push_back({.op = op, .asked = stage_.record.tick()});
  ++open_;
  stage_.trace("call", op, stage_.record.ops[op].thread);
  sent_.push_back(
      std::make_unique<Sent>(*this, attempts.size() - 1, stage_.rng.chance(stage_.rates.expired)));
  stage_.registry().dispatch(sent_.back().get());
}

void Clients::answered(size_t number, std::optional<Outcome> outcome, bool replayed) {
  Attempt& attempt = stage_.record.attempts[number];
  stage_.trace("answer", attempt.op, outcome ? outcome->index() : 9);
  if (++attempt.answers > 1) return stage_.fail("a call was answered twice");
  --open_;
  attempt.answered = stage_.record.tick();
  attempt.outcome = std::move(outcome);
  attempt.replayed = replayed;
  const Op op = stage_.record.ops[attempt.op];
  const Receipt* receipt = attempt.receipt();
  // Why only the first answer: a fork must be made once.
  if (receipt != nullptr && op.kind == Kind::note_fork && !replayed) make_fork(op, *receipt);
  if (depth_ >= k_nested_max || !stage_.rng.chance(stage_.rates.nested)) return;
  ++depth_;
  call();
  --depth_;
}

/// A fork is made by its caller, of what its parent noted.
void Clients::make_fork(const Op& noted, const Receipt& receipt) {
  const Address& parent = stage_.address(noted.thread);
  const auto state = stage_.journal.read_state(parent.key, parent.shard);
  if (!state.ok() || noted.child == noted.thread) return;
  auto point = fork_point(*state, parent.key.thread, parent.shard, receipt.fork);
  if (!point) return;
  ++stage_.stats.forks;
  send({.kind = Kind::fork, .thread = noted.child, .with_request = true, .fork = std::move(point)});
}

}  // namespace parley::schedule
