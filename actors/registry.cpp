#include "actors/registry.hpp"

#include <utility>

#include <caf/send.hpp>

#include "actors/fork_release.hpp"
#include "actors/inline_unit.hpp"
#include "base/check.hpp"

namespace parley {
namespace {

/// Activations ended to make room for one that begins.
constexpr int k_ended_at_once = 8;

}  // namespace

Registry::Registry(caf::actor_system& system, Environment& environment, RegistryOptions options)
    : system_(system), environment_(environment), options_(options) {}

Registry::~Registry() { PARLEY_CHECK(all_retired()); }

void Registry::dispatch(Call* call) {
  if (closed_.load(std::memory_order_relaxed)) {
    return call->fail(absl::UnavailableError("the server is stopping; call another node or retry"));
  }
  InlineUnit& unit = InlineUnit::here(system_);
  Stripe& stripe = stripe_of(call->to);
  {
    absl::MutexLock lock(&stripe.mutex);
    const auto found = stripe.entries.find(call->to.key);
    Entry& entry = found != stripe.entries.end() ? *found->second : activate(stripe, call->to);
    if (entry.ending) {
      entry.waiting.push_back(call);
      return;
    }
    entry.last_used = environment_.clock.steady();
    stripe.recently_used.splice(stripe.recently_used.begin(), stripe.recently_used, entry.place);
    // Why under the lock: nothing may slip into the mailbox behind the message that ends the actor
    // (I12).
    unit.enqueue(entry.actor, CallMessage{call});
  }
  unit.run();
}

void Registry::wake(const Address& address) {
  Stripe& stripe = stripe_of(address);
  absl::MutexLock lock(&stripe.mutex);
  if (!stripe.entries.contains(address.key)) activate(stripe, address);
}

Registry::Entry& Registry::activate(Stripe& stripe, const Address& address) {
  make_room(stripe);
  auto entry = std::make_unique<Entry>();
  entry->address = address;
  entry->vitals = std::make_shared<Vitals>(bytes_);
  const Ownership ownership{environment_.journal.epoch(address.shard), SteadyTime::never()};
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
  std::unique_ptr<Entry> gone;
  Stripe& stripe = stripe_of(address);
  {
    absl::MutexLock lock(&stripe.mutex);
    const auto found = stripe.entries.find(address.key);
    PARLEY_CHECK(found != stripe.entries.end());
    gone = std::move(found->second);
    stripe.entries.erase(found);
    --live_;
  }
  for (Call* call : gone->waiting) dispatch(call);
}

void Registry::sweep() {
  const SteadyTime now = environment_.clock.steady();
  const int64_t oldest = now.micros - options_.idle_micros_max;
  for (Stripe& stripe : stripes_) {
    {
      absl::MutexLock lock(&stripe.mutex);
      for (auto next = stripe.recently_used.end(); next != stripe.recently_used.begin();) {
        Entry& entry = **--next;
        if (entry.last_used.micros > oldest) break;
        if (entry.vitals->pinned) continue;
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
    {
      absl::MutexLock lock(&stripe.mutex);
      while (!stripe.recently_used.empty()) end(stripe, *stripe.recently_used.front());
    }
    InlineUnit::here(system_).run();
  }
}

void Registry::unfollow(const Address& address, uint64_t watcher) {
  InlineUnit& unit = InlineUnit::here(system_);
  Stripe& stripe = stripe_of(address);
  {
    absl::MutexLock lock(&stripe.mutex);
    const auto found = stripe.entries.find(address.key);
    if (found == stripe.entries.end() || found->second->ending) return;
    unit.enqueue(found->second->actor, UnfollowMessage{watcher});
  }
  unit.run();
}

void Registry::release_wanted(const Address& child, const ParentLink& link) {
  dispatch(new ForkRelease(*this, environment_.shard_count, child, link));
}

bool Registry::is_live(const Address& address) const {
  const Stripe& stripe = stripe_of(address);
  absl::MutexLock lock(&stripe.mutex);
  return stripe.entries.contains(address.key);
}

RegistryStats Registry::stats() const { return {live_, bytes_, activations_, passivations_}; }

}  // namespace parley
