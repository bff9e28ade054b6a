#include "tests/actors/schedule/stage.hpp"

#include <utility>

namespace parley::schedule {
namespace {

/// Room is made among the conversations of one stripe of the registry, so most must share one.
constexpr uint64_t k_stripes = 64;
constexpr size_t k_in_one_stripe = 3;

std::vector<Address> draw_addresses(uint32_t shard_count) {
  std::vector<Address> addresses;
  for (int i = 0; addresses.size() < k_threads; ++i) {
    auto address = Address::of({"default", "t" + std::to_string(i)}, shard_count);
    const bool together =
        addresses.empty() || address.hash % k_stripes == addresses.front().hash % k_stripes;
    if (together || addresses.size() >= k_in_one_stripe) addresses.push_back(std::move(address));
  }
  return addresses;
}

Rates draw_rates(sim::Rng& rng) {
  Rates rates;
  const auto some = [&](uint32_t most) {
    return rng.chance(500) ? 0 : static_cast<uint32_t>(rng.below(most + 1));
  };
  for (uint32_t* of : {&rates.call, &rates.retry, &rates.job, &rates.write, &rates.ring,
                       &rates.follow, &rates.sweep}) {
    *of = 1 + static_cast<uint32_t>(rng.below(2 * *of));
  }
  for (uint32_t* of : {&rates.raise, &rates.tell_owner, &rates.fail_load}) *of = some(2 * *of);
  rates.not_written = some(150);
  rates.conflict = some(50);
  rates.unknown_lost = some(100);
  rates.unknown_kept = some(100);
  rates.by_scheduler = static_cast<uint32_t>(rng.below(1001));
  rates.nested = static_cast<uint32_t>(rng.below(500));
  rates.expired = some(50);
  return rates;
}

RegistryOptions draw_options(sim::Rng& rng) {
  constexpr std::array<int64_t, 4> bytes{1, 6'000, 12'000, 1 << 20};
  return {.bytes_max = bytes[rng.below(bytes.size())], .idle_micros_max = 1'000'000};
}

}  // namespace

Stats& Stats::operator+=(const Stats& other) {
  acked += other.acked;
  replayed += other.replayed;
  failed += other.failed;
  reads += other.reads;
  deliveries += other.deliveries;
  looked_back += other.looked_back;
  fenced += other.fenced;
  unknown += other.unknown;
  refused_writes += other.refused_writes;
  activations += other.activations;
  incarnations += other.incarnations;
  forks += other.forks;
  jobs_out_of_turn += other.jobs_out_of_turn;
  return *this;
}

void ReturningWrites::written(caf::strong_actor_ptr actor, WriteOutcome outcome) {
  last = actor;
  if (std::exchange(lose_next, false)) return;
  if (by_ == By::bell) {
    finished_.push_back({std::move(actor), outcome});
  } else {
    caf::anon_send(caf::actor_cast<caf::actor>(actor), WrittenMessage{outcome});
  }
}

void ReturningWrites::ring(caf::actor_system& system) {
  InlineUnit& unit = InlineUnit::here(system);
  for (auto& [actor, outcome] : std::exchange(finished_, {})) {
    unit.enqueue(caf::actor_cast<caf::abstract_actor*>(actor), WrittenMessage{outcome});
  }
  unit.run();
}

Stage::Stage(uint64_t seed, Lie what_is_broken, bool verbose)
    : rng(seed), rates(draw_rates(rng)), lie(what_is_broken), verbose_(verbose) {
  addresses_ = draw_addresses(environment.shard_count);
  limits.snapshot_events = 3;
  limits.snapshot_events_at_end = 1;
  limits.waiting_calls = 1 + rng.below(40);
  limits.watchers_per_conversation = 2;
  system_ =
      std::make_unique<caf::actor_system>(config_.set("scheduler.policy", caf::atom("testing")));
  registry_ = std::make_unique<Registry>(*system_, environment, draw_options(rng));
}

Stage::~Stage() {
  resumer_here() = nullptr;
  if (registry_->all_retired()) return;
  // Why: a run of which something is broken may be unable to end; its finding is worth more than
  // its memory, which stays reachable for the sanitizers.
  static auto& unended =
      *new std::vector<std::pair<std::unique_ptr<caf::actor_system>, std::unique_ptr<Registry>>>;
  unended.emplace_back(std::move(system_), std::move(registry_));
}

std::deque<caf::resumable*>& Stage::jobs() {
  return dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler()).jobs;
}

void Stage::run_a_job() {
  auto& queue = jobs();
  const size_t chosen = rng.below(queue.size());
  if (chosen > 0) ++stats.jobs_out_of_turn;
  std::swap(queue.front(), queue[chosen]);
  trace("job", chosen, queue.size());
  dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler()).run_once();
}

void Stage::heal() {
  healed = true;
  rates.not_written = rates.conflict = rates.unknown_lost = rates.unknown_kept = 0;
  rates.expired = rates.nested = 0;
  journal.load_error = absl::OkStatus();
  limits.waiting_calls = Limits{}.waiting_calls;
  limits.watchers_per_conversation = Limits{}.watchers_per_conversation;
}

size_t Stage::thread_of(const ConversationKey& key) const {
  size_t thread = 0;
  while (addresses_[thread].key != key) ++thread;
  return thread;
}

void Stage::trace(std::string_view what, uint64_t a, uint64_t b) {
  for (const uint64_t part : {record.now, uint64_t{what.size()}, a, b}) {
    hash_ = (hash_ ^ part) * 0x100000001b3U;
    hash_ ^= hash_ >> 29;
  }
  if (!verbose_) return;
  lines.push_back(std::to_string(record.now) + " " + std::string(what) + " " + std::to_string(a) +
                  " " + std::to_string(b));
}

}  // namespace parley::schedule
