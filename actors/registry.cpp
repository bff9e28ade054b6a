#include "actors/registry.hpp"

#include <algorithm>
#include <utility>

#include <caf/send.hpp>

#include "actors/fork_release.hpp"
#include "actors/inline_unit.hpp"
#include "base/check.hpp"

namespace parley {
namespace {

/// Activations ended to make room for one that begins.
constexpr int k_ended_at_once = 8;
/// Why: moving a conversation to the front touches its neighbours, which costs a busy one more than
/// all else here. Its place may be so old, and so small a part of the time to idleness.
constexpr int64_t k_touch_micros_max = 1'000'000;
constexpr int64_t k_touches_until_idle = 64;

/// The waiting question of this watcher, taken out; null if there is none.
Call* take_question(std::vector<Call*>& waiting, uint64_t watcher) {
  const auto found = std::find_if(waiting.begin(), waiting.end(), [&](const Call* call) {
    const auto* wish = std::get_if<Follow>(&call->what);
    return wish != nullptr && wish->watcher == watcher;
  });
  if (found == waiting.end()) return nullptr;
  Call* taken = *found;
  waiting.erase(found);
  return taken;
}

/// A pointer whose last copy calls `ended` when it goes.
std::shared_ptr<void> told_at_last(std::function<void()> ended) {
  return {static_cast<void*>(nullptr), [ended = std::move(ended)](void*) { ended(); }};
}

}  // namespace

Registry::Registry(caf::actor_system& system, Environment& environment, RegistryOptions options)
    : system_(system),
      environment_(environment),
      options_(options),
      touch_micros_(std::min(k_touch_micros_max, options.idle_micros_max / k_touches_until_idle)) {}

Registry::~Registry() { PARLEY_CHECK(all_retired()); }

void Registry::dispatch(Call* call) {
  InlineUnit& unit = InlineUnit::here(system_);
  Stripe& stripe = stripe_of(call->to);
  Admission admission{};
  {
    absl::MutexLock lock(&stripe.mutex);
    admission = admit(stripe, call, unit);
  }
  if (admission != Admission::taken) return turn_away({call, admission});
  unit.run();
}

Registry::Admission Registry::admit(Stripe& stripe, Call* call, InlineUnit& unit) {
  // Why under the lock: once `retire_all`, or `put_away` of the shard, has been through this
  // stripe, nothing may begin in it.
  if (closed_.load(std::memory_order_relaxed)) return Admission::stopping;
  const ShardUse use = environment_.use(call->to.shard);
  if (use == ShardUse::elsewhere) return Admission::not_owner;
  if (use == ShardUse::held) {
    stripe.held.push_back(call);
    return Admission::taken;
  }
  const auto found = stripe.entries.find(call->to.key);
  Entry& entry = found != stripe.entries.end() ? *found->second : activate(stripe, call->to);
  if (entry.ending) {
    entry.waiting.push_back(call);
    return Admission::taken;
  }
  const SteadyTime now = environment_.clock.steady();
  if (now.micros - entry.last_used.micros > touch_micros_) {
    entry.last_used = now;
    stripe.recently_used.splice(stripe.recently_used.begin(), stripe.recently_used, entry.place);
  }
  // Nor may anything slip into the mailbox behind the message that ends the actor (I12).
  unit.enqueue(entry.actor, CallMessage{call});
  return Admission::taken;
}

std::vector<Registry::TurnedAway> Registry::admit_all(Stripe& stripe,
                                                      const std::vector<Call*>& calls,
                                                      InlineUnit& unit) {
  std::vector<TurnedAway> away;
  for (Call* call : calls) {
    const Admission admission = admit(stripe, call, unit);
    if (admission != Admission::taken) away.push_back({call, admission});
  }
  return away;
}

void Registry::turn_away(const TurnedAway& which) {
  if (which.why == Admission::not_owner) return which.call->answer(Failure::not_owner, false);
  which.call->fail(absl::UnavailableError("the server is stopping; call another node or retry"));
}

void Registry::wake(const Address& address) {
  InlineUnit& unit = InlineUnit::here(system_);
  Stripe& stripe = stripe_of(address);
  {
    absl::MutexLock lock(&stripe.mutex);
    if (environment_.use(address.shard) != ShardUse::served) return;
    const auto found = stripe.entries.find(address.key);
    if (found == stripe.entries.end()) {
      if (!closed_) activate(stripe, address);
    } else if (!found->second->ending) {
      unit.enqueue(found->second->actor, WakeMessage{});
    }
  }
  // What had to make room for it is to end now, not when this thread next has a call.
  unit.run();
}

Registry::Entry& Registry::activate(Stripe& stripe, const Address& address) {
  make_room(stripe);
  auto entry = std::make_unique<Entry>();
  entry->address = address;
  entry->last_used = environment_.clock.steady();
  entry->vitals = std::make_shared<Vitals>(bytes_);
  const Ownership ownership{environment_.journal.epoch(address.shard),
                            environment_.owned_until(address.shard)};
  auto start = [this, ownership, vitals = entry->vitals](ConversationActor* self,
                                                         const Address& whose) {
    return self->state.start(environment_, *this, whose, ownership, vitals);
  };
  // Why lazy: an eager actor would run its first message on a thread of the scheduler.
  // Why the address as an argument: without any, CAF 0.17 dereferences a null pointer to no
  // arguments.
  entry->actor = system_.spawn<caf::lazy_init>(std::move(start), address);
  // Why not inline: loading may block, so the first message goes to CAF's scheduler (D16).
  caf::anon_send(entry->actor, LoadMessage{});
  stripe.recently_used.push_front(entry.get());
  entry->place = stripe.recently_used.begin();
  ++activations_;
  ++live_;
  return *(stripe.entries[address.key] = std::move(entry));
}

void Registry::make_room(Stripe& stripe) {
  auto next = stripe.recently_used.end();
  for (int ended = 0; ended < k_ended_at_once && bytes_ > options_.bytes_max;) {
    if (next == stripe.recently_used.begin()) return;
    Entry& oldest = **--next;
    if (oldest.vitals->pinned) continue;
    ++next;
    end(stripe, oldest);
    ++ended;
  }
}

void Registry::end(Stripe& stripe, Entry& entry) {
  PARLEY_CHECK(!entry.ending);
  entry.ending = true;
  stripe.recently_used.erase(entry.place);
  ++passivations_;
  InlineUnit::here(system_).enqueue(entry.actor, RetireMessage{});
}

void Registry::abandoned(const Address& address) {
  Stripe& stripe = stripe_of(address);
  absl::MutexLock lock(&stripe.mutex);
  const auto found = stripe.entries.find(address.key);
  if (found != stripe.entries.end() && !found->second->ending) end(stripe, *found->second);
}

void Registry::retired(const Address& address) {
  InlineUnit& unit = InlineUnit::here(system_);
  std::unique_ptr<Entry> gone;
  std::vector<TurnedAway> away;
  Stripe& stripe = stripe_of(address);
  {
    absl::MutexLock lock(&stripe.mutex);
    const auto found = stripe.entries.find(address.key);
    PARLEY_CHECK(found != stripe.entries.end());
    gone = std::move(found->second);
    stripe.entries.erase(found);
    --live_;
    // Why under the same lock: whoever looks for a waiting call finds it, here or there.
    away = admit_all(stripe, gone->waiting, unit);
  }
  for (const TurnedAway& each : away) turn_away(each);
  unit.run();
}

void Registry::put_away(Shard shard, std::function<void()> ended) {
  const auto last = told_at_last(std::move(ended));
  for (Stripe& stripe : stripes_) {
    {
      absl::MutexLock lock(&stripe.mutex);
      for (auto& [key, entry] : stripe.entries) {
        if (entry->address.shard != shard) continue;
        entry->last.push_back(last);
        if (!entry->ending) end(stripe, *entry);
      }
    }
    InlineUnit::here(system_).run();
  }
}

void Registry::resume(Shard shard) {
  InlineUnit& unit = InlineUnit::here(system_);
  for (Stripe& stripe : stripes_) {
    std::vector<TurnedAway> away;
    {
      absl::MutexLock lock(&stripe.mutex);
      const auto others =
          std::stable_partition(stripe.held.begin(), stripe.held.end(),
                                [&](Call* call) { return call->to.shard == shard; });
      const std::vector<Call*> calls(stripe.held.begin(), others);
      stripe.held.erase(stripe.held.begin(), others);
      away = admit_all(stripe, calls, unit);
    }
    for (const TurnedAway& each : away) turn_away(each);
    unit.run();
  }
}

void Registry::sweep() {
  const SteadyTime now = environment_.clock.steady();
  end_unused_since({now.micros - options_.idle_micros_max}, [](const Entry&) { return true; });
}

void Registry::put_idle_away(Shard shard) {
  const SteadyTime now = environment_.clock.steady();
  end_unused_since({now.micros - touch_micros_},
                   [shard](const Entry& entry) { return entry.address.shard == shard; });
}

void Registry::end_unused_since(SteadyTime oldest, const Which& which) {
  for (Stripe& stripe : stripes_) {
    {
      absl::MutexLock lock(&stripe.mutex);
      for (auto next = stripe.recently_used.end(); next != stripe.recently_used.begin();) {
        Entry& entry = **--next;
        if (entry.last_used > oldest) break;
        if (entry.vitals->pinned || !which(entry)) continue;
        ++next;
        end(stripe, entry);
      }
    }
    InlineUnit::here(system_).run();
  }
}

void Registry::retire_all() {
  closed_ = true;
  for (Stripe& stripe : stripes_) {
    std::vector<Call*> held;
    {
      absl::MutexLock lock(&stripe.mutex);
      while (!stripe.recently_used.empty()) end(stripe, *stripe.recently_used.front());
      held.swap(stripe.held);
    }
    for (Call* call : held) turn_away({call, Admission::stopping});
    InlineUnit::here(system_).run();
  }
}

void Registry::unfollow(const Address& address, uint64_t watcher) {
  InlineUnit& unit = InlineUnit::here(system_);
  Call* held = nullptr;
  Stripe& stripe = stripe_of(address);
  {
    absl::MutexLock lock(&stripe.mutex);
    const auto found = stripe.entries.find(address.key);
    // Why: its question may wait here for the next activation, which would never hear that it has
    // gone and keep it for ever.
    held = take_question(stripe.held, watcher);
    if (found != stripe.entries.end() && held == nullptr) {
      Entry& entry = *found->second;
      if (entry.ending) {
        held = take_question(entry.waiting, watcher);
      } else {
        unit.enqueue(entry.actor, UnfollowMessage{watcher});
      }
    }
  }
  if (held != nullptr) held->fail(absl::CancelledError("the watcher has gone"));
  unit.run();
}

void Registry::release_wanted(const Address& child, const ParentLink& link) {
  (new ForkRelease(*this, environment_, child, link))->start();
}

bool Registry::is_live(const Address& address) const {
  const Stripe& stripe = stripe_of(address);
  absl::MutexLock lock(&stripe.mutex);
  return stripe.entries.contains(address.key);
}

RegistryStats Registry::stats() const { return {live_, bytes_, activations_, passivations_}; }

}  // namespace parley
