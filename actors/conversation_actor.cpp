#include "actors/conversation_actor.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/check.hpp"

namespace parley {
namespace {

/// Lists of events that are kept for watchers who are a little behind.
constexpr size_t k_late_lists = 64;
/// What an activation takes beside its engine's estimate: the actor, its place in the registry, and
/// what the allocator rounds up (bench/, memory per live actor).
constexpr int64_t k_actor_bytes = 4'000;
constexpr int64_t k_worth_reporting_bytes = 1'000;

/// A ticket is the call's address: tickets never leave the shell and the engine.
Ticket ticket_of(Call* call) { return reinterpret_cast<Ticket>(call); }
Call* call_of(Ticket ticket) { return reinterpret_cast<Call*>(ticket); }

}  // namespace

ConversationShell::~ConversationShell() { PARLEY_CHECK(waiting_watchers_.empty()); }

caf::behavior ConversationShell::start(Environment& environment, ActivationKeeper& keeper,
                                       Address address, Ownership ownership,
                                       std::shared_ptr<Vitals> vitals) {
  environment_ = &environment;
  keeper_ = &keeper;
  address_ = std::move(address);
  ownership_ = ownership;
  vitals_ = std::move(vitals);
  return {
      // In the order in which CAF tries them: the hot ones first.
      [this](CallMessage message) { handle(message.call); },
      [this](WrittenMessage message) {
        write_under_way_ = false;
        feed(Written{message.outcome, environment_->clock.steady()});
        retire_if_quiet();
      },
      [this](LoadMessage) { load(); },
      [this](UnfollowMessage message) { unfollow(message.watcher); },
      [this](WakeMessage) { ask_for_releases(); },
      [this](RetireMessage) { retire(); },
      [this](OwnershipMessage message) {
        ownership_ = message.ownership;
        feed(OwnershipChanged{message.ownership});
      },
  };
}

void ConversationShell::load() {
  auto loaded = environment_->journal.load(address_.key, address_.shard);
  if (!loaded.ok()) {
    load_error_ = loaded.status();
    keeper_->abandoned(address_);
    return;
  }
  engine_.emplace(*std::move(loaded), ownership_, environment_->limits);
  ask_for_releases();
  report_size();
}

void ConversationShell::handle(Call* call) {
  if (!load_error_.ok()) return call->fail(load_error_);
  PARLEY_CHECK(engine_.has_value());
  if (call->expired()) {
    return call->fail(
        absl::DeadlineExceededError("the call's deadline passed before it was begun"));
  }
  const SteadyTime now = environment_->clock.steady();
  if (auto* mutate = std::get_if<Mutate>(&call->what)) {
    const Context context{environment_->clock.wall(), environment_->ids.fresh(), address_.shard,
                          &environment_->limits};
    feed(Submit{ticket_of(call), std::move(mutate->command), mutate->meta, context, now,
                mutate->render});
    report_size();
  } else if (auto* read = std::get_if<Read>(&call->what)) {
    feed(Query{ticket_of(call), read->min_version, now});
  } else {
    follow(call, std::get<Follow>(call->what));
  }
}

void ConversationShell::feed(Input&& input) {
  if (!engine_) return;
  keep_lease_up();
  step(std::move(input));
}

void ConversationShell::step(Input&& input) {
  // Of the thread, not of the actor, for it is warm; taken out, for an answer may lead to a call to
  // another actor on this thread. One to this actor waits in the mailbox.
  thread_local std::vector<Output> spare;
  std::vector<Output> outputs = std::exchange(spare, {});
  engine_->step(std::move(input), outputs);
  for (Output& output : outputs) {
    std::visit([this](auto& what) { perform(what); }, output);
  }
  outputs.clear();
  spare = std::move(outputs);
}

/// A lease that is renewed, or lost, is not told to every conversation: each looks when it matters.
void ConversationShell::keep_lease_up() {
  if (environment_->leases_until.empty() || engine_->abandoned()) return;
  // Why first: a node that lost its lease lets go of its shards before it gets another one, which
  // says nothing of an activation from before.
  const SteadyTime until = environment_->owned_until(address_.shard);
  const Epoch epoch = environment_->journal.epoch(address_.shard);
  const bool elsewhere = environment_->use(address_.shard) == ShardUse::elsewhere;
  if (elsewhere || epoch != ownership_.epoch) {
    return step(OwnershipChanged{{{ownership_.epoch.value + 1}, SteadyTime{}}});
  }
  if (until == ownership_.until) return;
  ownership_.until = until;
  step(OwnershipChanged{ownership_});
}

void ConversationShell::perform(Append& append) {
  written_to_ = caf::actor_cast<caf::strong_actor_ptr>(self_);
  resumer_ = resumer_here() != nullptr ? resumer_here() : &environment_->resumer;
  write_under_way_ = true;
  environment_->journal.commit(
      {address_.key, address_.hash, address_.shard, append.epoch, std::move(append.batch)}, this);
}

void ConversationShell::perform(Render& render) {
  call_of(render.ticket)->render(engine_->tentative(), engine_->recent());
}

void ConversationShell::perform(Answer& answer) {
  call_of(answer.ticket)->answer(std::move(answer.outcome), answer.replayed);
}

void ConversationShell::perform(Publish& publish) {
  tell_watchers(publish.events);
  ask_for_releases();
}

void ConversationShell::perform(Abandon&) {
  for (Call* call : std::exchange(waiting_watchers_, {})) {
    call->fail(absl::UnavailableError("the conversation is being reloaded; watch again"));
  }
  keeper_->abandoned(address_);
}

Wakeup* ConversationShell::on_written(WriteOutcome outcome) {
  // Why: read out first, for the actor may go on, commit again and even end once it is told.
  Resumer* resumer = resumer_;
  auto actor = std::exchange(written_to_, nullptr);
  resumer->written(std::move(actor), outcome);
  return resumer;
}

void ConversationShell::follow(Call* call, const Follow& wish) {
  keep_lease_up();
  const Version durable = engine_->durable();
  if (engine_->abandoned()) {
    return call->fail(absl::UnavailableError("the conversation is being reloaded; watch again"));
  }
  // What is answered here is answered without a write.
  const bool leased = !environment_->leases_until.empty();
  if (leased && environment_->clock.steady() >= ownership_.until) {
    return call->answer(Failure::not_owner, false);
  }
  // Why: a watcher that read storage may know of the batch under way before this actor is told.
  const Version shown = engine_->shown();
  if (shown == Version{0} && !wish.wait_for_create) {
    return call->answer(Refusal{Reason::conversation_not_found, {}, {}}, false);
  }
  if (shown < wish.after) {
    return call->answer(Refusal{Reason::version_in_future, durable, {}}, false);
  }
  if (!watchers_.contains(wish.watcher)) {
    if (watchers_.size() >= environment_->limits.watchers_per_conversation) {
      return call->fail(absl::ResourceExhaustedError("too many watchers of this conversation"));
    }
    watchers_.insert(wish.watcher);
    vitals_->pinned = true;
  }
  if (wish.after >= durable) {
    waiting_watchers_.push_back(call);
    call->waits();
  } else if (remembers(wish.after)) {
    std::vector<std::shared_ptr<const EventList>> missed;
    for (const auto& list : late_events_) {
      if (list->back().version > wish.after) missed.push_back(list);
    }
    call->events(std::move(missed));
  } else {
    call->look_back(durable);
  }
}

bool ConversationShell::remembers(Version after) const {
  return !late_events_.empty() && late_events_.front()->front().version <= after.next();
}

void ConversationShell::tell_watchers(const std::shared_ptr<const EventList>& events) {
  if (watchers_.empty()) return;
  late_events_.push_back(events);
  if (late_events_.size() > k_late_lists) late_events_.pop_front();
  // A deletion starts the versions anew: what came before belongs to another conversation.
  if (engine_->durable() == Version{0}) late_events_.clear();
  for (Call* call : std::exchange(waiting_watchers_, {})) {
    if (std::get<Follow>(call->what).after < events->back().version) {
      call->events({events});
    } else {
      waiting_watchers_.push_back(call);
    }
  }
}

void ConversationShell::unfollow(uint64_t watcher) {
  watchers_.erase(watcher);
  // More than one where a question was asked again.
  const auto gone = std::stable_partition(
      waiting_watchers_.begin(), waiting_watchers_.end(),
      [&](Call* call) { return std::get<Follow>(call->what).watcher != watcher; });
  const std::vector<Call*> questions(gone, waiting_watchers_.end());
  waiting_watchers_.erase(gone, waiting_watchers_.end());
  for (Call* call : questions) call->fail(absl::CancelledError("the watcher has gone"));
  if (!watchers_.empty()) return;
  late_events_.clear();
  vitals_->pinned = false;
}

void ConversationShell::ask_for_releases() {
  if (!engine_ || !engine_->quiescent()) return;
  for (const ParentLink& link : engine_->tentative().pending_releases) {
    keeper_->release_wanted(address_, link);
  }
}

void ConversationShell::retire() {
  retiring_ = true;
  for (Call* call : std::exchange(waiting_watchers_, {})) {
    call->fail(absl::UnavailableError("the conversation is being put away; watch again"));
  }
  retire_if_quiet();
}

void ConversationShell::retire_if_quiet() {
  // Why not the engine alone: one that was deposed waits for nothing, but the journal still has
  // this actor's address, and what it writes must come before the next activation loads (I12).
  if (!retiring_ || write_under_way_ || (engine_ && !engine_->quiescent())) return;
  retiring_ = false;
  if (engine_ && !engine_->abandoned()) {
    if (engine_->snapshot_due_at_end()) {
      environment_->journal.keep_snapshot(address_.key, address_.shard,
                                          std::make_shared<const State>(engine_->tentative()));
    }
  }
  environment_->journal.release(address_.key);
  vitals_->resize(0);
  self_->quit();
  keeper_->retired(address_);
}

void ConversationShell::report_size() {
  const size_t bytes = engine_ ? engine_->memory_bytes() : 0;
  const int64_t now = k_actor_bytes + static_cast<int64_t>(bytes);
  // Why not every byte: the sum is shared by all threads.
  if (std::abs(now - vitals_->bytes()) >= k_worth_reporting_bytes) vitals_->resize(now);
}

}  // namespace parley
