#include "tests/sim/world.hpp"

#include <utility>

namespace parley::sim {
namespace {

constexpr uint64_t k_steps_max = 60'000;  ///< of one phase; far beyond what any healthy one takes
constexpr int64_t k_six_hours = 6LL * 3600 * 1'000'000;

}  // namespace

World::World(const RunOptions& options)
    : mutations_(options.mutations),
      timeline_(options.seed, options.verbose),
      rates_(draw_rates(timeline_.rng)),
      limits_(draw_limits(timeline_.rng)),
      journal_(timeline_, rates_, mutations_),
      watches_(timeline_, history_, journal_, mutations_, stats_),
      workload_(timeline_, history_, journal_, leases_, rates_, mutations_, stats_, options.ops) {
  for (uint8_t i = 0; i < k_nodes; ++i) {
    nodes_.push_back(
        std::make_unique<SimNode>(i, Surroundings{timeline_, history_, journal_, leases_, rates_,
                                                  limits_, mutations_, stats_, watches_}));
    for (uint8_t shard = 0; shard < k_shards; ++shard) {
      timeline_.after(timeline_.rng.between(0, 2000), Do::tend, i, shard);
    }
  }
  workload_.start();
  watches_.start();
  timeline_.after(1000, Do::nemesis, 0);
}

RunResult World::run() {
  RunResult result;
  result.violation = play();
  if (!result.violation) result.violation = judge();
  stats_.runs = 1;
  stats_.steps = timeline_.step();
  result.stats = stats_;
  result.trace_hash = timeline_.hash();
  result.trace.assign(timeline_.lines().begin(), timeline_.lines().end());
  return result;
}

std::optional<Violation> World::play() {
  if (!drive_until([&] { return workload_.idle(); })) {
    return Violation{"I8", "the clients never came to an end"};
  }
  heal();
  workload_.finish();
  if (!drive_until([&] { return workload_.finished(); })) {
    return Violation{"I8", "after healing, a conversation never answered"};
  }
  if (workload_.silent()) {
    return Violation{"I8", "after healing, no answer from " + thread_name(*workload_.silent())};
  }
  if (!drive_until([&] { return !workload_.releases_pending(); })) {
    return Violation{"I8", "after healing, a fork's parent was never told that it is gone"};
  }
  watches_.detach_all();
  if (!drive_until([&] { return watches_.caught_up(); }) &&
      !mutations_.only_version_check_promised) {
    return Violation{"I8", "after healing, a watcher never caught up"};
  }
  return std::nullopt;
}

std::optional<Violation> World::judge() {
  Evidence evidence{history_, journal_, {}, mutations_.only_version_check_promised};
  for (uint8_t thread = 0; thread < k_threads; ++thread) {
    evidence.reloaded[thread] = journal_.load(thread).state;
  }
  return check(evidence, stats_);
}

bool World::drive_until(const std::function<bool()>& done) {
  const Step last = timeline_.step() + k_steps_max;
  while (!done()) {
    if (timeline_.step() > last) return false;
    dispatch(timeline_.next());
  }
  return true;
}

bool World::reaches(uint8_t node, const Due& due) {
  const int64_t wakes = nodes_[node]->paused_until();
  if (timeline_.now() >= wakes) return true;
  timeline_.after(wakes - timeline_.now() + 1, due.what, due.a, due.b);
  return false;
}

void World::dispatch(const Due& due) {
  switch (due.what) {
    case Do::client:
      return workload_.act(due.a);
    case Do::arrive: {
      const uint8_t node = history_.attempts[due.a].node;
      if (reaches(node, due)) nodes_[node]->arrive(due.a);
      return;
    }
    case Do::respond:
      return workload_.respond(due.a);
    case Do::time_out:
      return workload_.time_out(due.a);
    case Do::load:
    case Do::loaded: {
      const auto node = static_cast<uint8_t>(due.a >> 8);
      const auto thread = static_cast<uint8_t>(due.a & 0xff);
      if (!reaches(node, due)) return;
      return due.what == Do::load ? nodes_[node]->load(thread, due.b)
                                  : nodes_[node]->loaded(thread, due.b);
    }
    case Do::apply:
      return journal_.apply(due.a);
    case Do::outcome: {
      const uint8_t node = journal_.write(due.a).node;
      if (reaches(node, due)) nodes_[node]->written(due.a);
      return;
    }
    case Do::tend: {
      const auto node = static_cast<uint8_t>(due.a);
      if (!reaches(node, due)) return;
      nodes_[node]->tend(static_cast<uint8_t>(due.b & 0xff));
      const bool once = due.b > 0xff;
      if (!once) timeline_.after(timeline_.rng.between(3000, 7000), Do::tend, due.a, due.b);
      return;
    }
    case Do::grant: {
      leases_.decide(due.a, timeline_.now(), journal_);
      const bool lost = timeline_.rng.chance(rates_.grant_lost);
      const int64_t late = timeline_.rng.chance(rates_.slow) ? k_lease : 0;
      if (!lost) timeline_.after(late + timeline_.rng.between(10, 400), Do::granted, due.a);
      return;
    }
    case Do::granted: {
      const uint8_t node = leases_.request(due.a).node;
      if (reaches(node, due)) nodes_[node]->granted(due.a);
      return;
    }
    case Do::nemesis:
      return nemesis();
    case Do::restart:
      return nodes_[due.a]->restart();
    case Do::watch:
      return watches_.tick(due.a, nodes_, leases_);
    case Do::job:
      return;  // of the other world
  }
}

void World::nemesis() {
  Rng& rng = timeline_.rng;
  timeline_.after(rng.between(500, 4000), Do::nemesis, 0);
  const auto victim = static_cast<uint8_t>(rng.below(k_nodes));
  SimNode& node = *nodes_[victim];
  if (rng.chance(rates_.clock_jump)) {
    node.set_wall_offset(rng.between(-k_six_hours, k_six_hours));
  }
  if (node.down() || timeline_.now() < node.paused_until()) return;
  if (rng.chance(rates_.crash)) {
    node.crash();
    timeline_.after(rng.between(100, 2 * k_lease), Do::restart, victim);
  } else if (rng.chance(rates_.pause)) {
    const int64_t until = timeline_.now() + rng.between(500, 3 * k_lease);
    timeline_.trace("pause", victim, static_cast<uint64_t>(until));
    node.pause_until(until);
  } else if (rng.chance(rates_.cut_off)) {
    const int64_t until = timeline_.now() + rng.between(k_lease / 2, 4 * k_lease);
    timeline_.trace("cut_off", victim, static_cast<uint64_t>(until));
    node.cut_off_until(until);
  } else if (rng.chance(rates_.passivate)) {
    node.passivate(static_cast<uint8_t>(rng.below(k_threads)));
  }
}

/// Nothing goes wrong from now on. What was under way (a late write, a dead node) takes its course.
void World::heal() {
  timeline_.trace("heal");
  rates_ = {};
  for (uint32_t node = 0; node < k_nodes; ++node) {
    nodes_[node]->pause_until(0);
    nodes_[node]->cut_off_until(0);
    if (nodes_[node]->down()) timeline_.after(100, Do::restart, node);
  }
}

}  // namespace parley::sim
