#include "tests/sim/shared/shared_world.hpp"

#include <algorithm>
#include <utility>

namespace parley::sim::shared {
namespace {

constexpr size_t k_at_first = 3;  ///< nodes; one more may come
constexpr int64_t k_drain_max = 3 * k_lease;
constexpr int64_t k_look = 20'000;

}  // namespace

SharedWorld::SharedWorld(const RunOptions& options)
    : mutations_(options.mutations),
      agenda_(options.seed, options.verbose),
      rates_(draw_rates(agenda_.rng())),
      database_(mutations_),
      judge_(database_),
      around_{agenda_, rates_, mutations_, database_, judge_, stats_, *this},
      clients_(around_, processes_) {
  for (size_t name = 0; name < k_at_first; ++name) {
    agenda_.after(agenda_.rng().between(0, k_lease), [this, name] { start(name); });
  }
  agenda_.after(k_lease, [this] { nemesis(); });
  clients_.start();
}

SharedWorld::~SharedWorld() {
  for (const auto& process : processes_) process->die();
}

RunResult SharedWorld::run() {
  play();
  judge_.at_the_end();
  stats_.runs = 1;
  stats_.steps = agenda_.timeline().step();
  RunResult result;
  result.violation = judge_.violation();
  result.stats = stats_;
  result.trace_hash = agenda_.timeline().hash();
  const auto& lines = agenda_.timeline().lines();
  result.trace.assign(lines.begin(), lines.end());
  return result;
}

void SharedWorld::play() {
  drive_until(k_faults, [] { return false; });
  if (judge_.violation()) return;
  heal();
  const int64_t healed = agenda_.now();
  drive_until(healed + k_silence_max + k_late_max, [] { return false; });
  if (!expect_by(
          healed + k_healed_within, [this] { return settled(); },
          "after healing, shards are not served evenly")) {
    return;
  }
  clients_.finish();
  if (!expect_by(
          agenda_.now() + 3 * k_lease, [this] { return clients_.finished(); },
          "after healing, a shard does not answer")) {
    return;
  }
  drain_one();
}

void SharedWorld::drain_one() {
  const std::vector<size_t> there = present();
  if (there.size() < 2) return;
  Process& leaves = *now_[there[agenda_.rng().below(there.size())]];
  const std::vector<OwnedShard> before = database_.read().shards;
  leaves.drain(2 * k_lease);
  if (!expect_by(
          agenda_.now() + k_lease, [&] { return leaves.dead() && settled(); },
          "a node that leaves is not replaced in time")) {
    return;
  }
  for (const OwnedShard& row : before) {
    if (process_of(row.incarnation) == leaves.number()) continue;
    if (database_.shard(row.shard) != row) {
      judge_.broken("I8", "a node that left moved what was not its own");
    }
  }
}

bool SharedWorld::drive_until(int64_t time, const std::function<bool()>& done) {
  int64_t look = agenda_.now();
  while (!judge_.violation()) {
    if (agenda_.now() >= look) {
      if (done()) return true;
      look = agenda_.now() + k_look;
    }
    if (agenda_.now() >= time) return false;
    agenda_.run_next();
  }
  return false;
}

bool SharedWorld::expect_by(int64_t time, const std::function<bool()>& done, const char* what) {
  if (drive_until(time, done)) return true;
  judge_.broken("I8", what);
  return false;
}

// ---- what the processes have to do with each other

void SharedWorld::tell_to_look(const NodeName& node) {
  if (agenda_.rng().chance(rates_.letter_lost)) return;
  Process* there = now_[static_cast<size_t>(node.value[0] - 'a')];
  if (there == nullptr) return;
  there->deliver(agenda_.rng().between(100, 3'000), [there] { there->look_now(); });
}

bool SharedWorld::others_answer(const Process& but, Shard shard) const {
  return std::ranges::any_of(processes_, [&](const auto& process) {
    return process.get() != &but && !process->dead() && process->shards().serves(shard) &&
           process->lease_runs();
  });
}

void SharedWorld::start(size_t name) {
  if (now_[name] != nullptr && !now_[name]->dead()) return;
  const std::string node(1, static_cast<char>('a' + name));
  const auto number = static_cast<uint32_t>(processes_.size());
  processes_.push_back(std::make_unique<Process>(number, node, around_));
  now_[name] = processes_.back().get();
}

// ---- faults

void SharedWorld::nemesis() {
  if (healed_) return;
  Rng& rng = agenda_.rng();
  agenda_.after(rng.between(50'000, 800'000), [this] { nemesis(); });
  const size_t name = rng.below(now_.size());
  if (now_[name] != nullptr && !now_[name]->dead()) {
    harm(name);
  } else if (rng.chance(250)) {
    start(name);
  }
}

void SharedWorld::harm(size_t name) {
  Rng& rng = agenda_.rng();
  Process& victim = *now_[name];
  if (rng.chance(rates_.clock_jump)) {
    victim.set_wall_offset(rng.between(-2 * k_lease, 2 * k_lease));
  }
  if (victim.paused()) return;
  if (rng.chance(rates_.crash)) {
    ++stats_.crashes;
    victim.die();
  } else if (rng.chance(rates_.pause)) {
    ++stats_.pauses;
    const bool near = rng.chance(500);
    const int64_t time =
        near ? rng.between(k_lease / 2, 3 * k_lease / 2) : rng.between(1'000, 3 * k_lease);
    victim.pause_until(agenda_.now() + time);
    agenda_.trace("pause", victim.number(), static_cast<uint64_t>(time));
    if (!rng.chance(rates_.double_start)) return;
    // A start elsewhere under the same name, while nobody knows that the other one lives.
    ++stats_.doubles;
    now_[name] = nullptr;
    agenda_.after(rng.between(0, 2 * k_lease), [this, name] {
      if (!healed_) start(name);
    });
  } else if (rng.chance(rates_.cut_off)) {
    const uint64_t ways = rng.below(3);
    const int64_t until = agenda_.now() + rng.between(k_lease / 4, 2 * k_lease);
    victim.cut(ways != 1, ways != 0, until);
    agenda_.trace("cut", victim.number(), ways, static_cast<uint64_t>(until));
  } else if (rng.chance(rates_.drain) && !victim.leaving()) {
    ++stats_.drains;
    victim.drain(rng.between(100'000, k_drain_max));
  }
}

/// Nothing goes wrong from now on. What was sent before takes its course.
void SharedWorld::heal() {
  agenda_.trace("heal");
  healed_ = true;
  rates_ = {};
  for (const auto& process : processes_) {
    process->pause_until(0);
    process->cut(false, false, 0);
    // Of two starts under one name somebody ends the elder.
    const bool is_now = std::ranges::find(now_, process.get()) != now_.end();
    if (!is_now) process->die();
  }
  // Again for those that were about to leave.
  for (int64_t later = 0; later <= k_drain_max; later += k_drain_max / 4) {
    agenda_.after(later, [this] {
      for (size_t name = 0; name < k_at_first; ++name) start(name);
    });
  }
}

std::vector<size_t> SharedWorld::present() const {
  std::vector<size_t> names;
  for (size_t name = 0; name < now_.size(); ++name) {
    if (now_[name] != nullptr && !now_[name]->dead()) names.push_back(name);
  }
  return names;
}

bool SharedWorld::settled() const {
  std::array<int, std::tuple_size_v<decltype(now_)>> counts{};
  const std::vector<size_t> there = present();
  for (uint16_t i = 0; i < k_shards; ++i) {
    const OwnedShard& row = database_.shard({i});
    const auto owner = std::ranges::find_if(there, [&](size_t name) {
      return !row.node.empty() && now_[name]->number() == process_of(row.incarnation);
    });
    if (owner == there.end()) return false;
    const Process& process = *now_[*owner];
    const bool serves = process.shards().serves({i}) && process.shards().epoch({i}) == row.epoch;
    if (!serves || !process.lease_runs() || process.leaving()) return false;
    ++counts[*owner];
  }
  int least = k_shards;
  int most = 0;
  for (const size_t name : there) {
    least = std::min(least, counts[name]);
    most = std::max(most, counts[name]);
  }
  return most - least <= 1;
}

}  // namespace parley::sim::shared
