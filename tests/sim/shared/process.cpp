#include "tests/sim/shared/process.hpp"

#include <algorithm>
#include <utility>

namespace parley::sim::shared {
namespace {

constexpr int64_t k_tick = 100'000;

/// As bad as it may be, as a rule.
int64_t draw_drift(Rng& rng) {
  switch (rng.below(3)) {
    case 0:
      return k_drift_ppm_max;
    case 1:
      return -k_drift_ppm_max;
    default:
      return rng.between(-k_drift_ppm_max, k_drift_ppm_max);
  }
}

}  // namespace

uint32_t process_of(const Id128& incarnation) {
  return incarnation.bytes[0] | uint32_t{incarnation.bytes[1]} << 8;
}

Process::Process(uint32_t number, std::string node, Around around)
    : number_(number),
      node_(std::move(node)),
      around_(around),
      clock_offset_(around.agenda.rng().between(0, 1'000'000'000'000)),
      drift_ppm_(draw_drift(around.agenda.rng())),
      shards_(*this),
      table_(*this),
      machine_(options(), table_, shards_, *this, *this),
      keeper_([this] { live(); }) {
  around_.agenda.trace("start", number_, static_cast<uint64_t>(node_[0]));
  wait_ = 1;
  deliver(around_.agenda.rng().between(100, k_tick), [this] { wake(1); });
}

LeaseMachine::Options Process::options() {
  LeaseTimes times = k_times;
  times.margin_micros = around_.mutations.margin_micros;
  return {.self = {.node = node_, .incarnation = {}, .address = node_ + ":1"},
          .shard_count = k_shards,
          .times = times,
          .now =
              [this] {
                stumble();
                const SteadyTime now = steady();
                stumble();
                return now;
              },
          .fresh =
              [this] {
                Id128 id;
                id.bytes[0] = static_cast<uint8_t>(number_);
                id.bytes[1] = static_cast<uint8_t>(number_ >> 8);
                if (!around_.mutations.same_incarnation) ++incarnations_;
                id.bytes[2] = incarnations_;
                return id;
              }};
}

// ---- its thread

void Process::live() {
  int64_t next_tick = 0;
  while (!dead_ && !drained()) {
    for (const auto& job : std::exchange(jobs_, {})) {
      if (!dead_) job();
    }
    if (!dead_ && around_.agenda.now() >= next_tick) {
      machine_.tick();
      next_tick = around_.agenda.now() + k_tick;
    }
    if (!jobs_.empty() || dead_) continue;
    idle_ = true;
    sleep(std::max<int64_t>(next_tick - around_.agenda.now(), 1));
    idle_ = false;
  }
  if (!dead_) machine_.stop();
  around_.agenda.trace("end", number_);
  dead_ = true;
}

bool Process::drained() const {
  return leaving_ && jobs_.empty() &&
         (view_.serving == 0 || view_.alone || around_.agenda.now() >= drained_by_);
}

void Process::sleep(int64_t time) {
  if (dead_) return;
  deliver(time, [this, number = next_wait()] { wake(number); });
  wait();
}

void Process::wait() {
  if (!dead_) keeper_.stop_here();
}

void Process::wake(uint64_t wait) {
  if (wait != wait_ || keeper_.ended()) return;
  ++wait_;
  keeper_.resume();
}

void Process::stumble() {
  if (!keeper_.inside() || !around_.agenda.rng().chance(around_.rates.stall)) return;
  sleep(around_.agenda.rng().between(1'000, 3 * k_lease / 2));
}

void Process::deliver(int64_t delay, Agenda::Job job) {
  around_.agenda.after(delay, [this, job = std::move(job)]() mutable {
    if (dead_) return;
    if (!paused()) return job();
    deliver(paused_until_ - around_.agenda.now() + around_.agenda.rng().between(0, 300),
            std::move(job));
  });
}

bool Process::paused() const { return around_.agenda.now() < paused_until_; }

SteadyTime Process::steady() const {
  const int64_t now = around_.agenda.now();
  if (around_.mutations.wall_clock) return {now + wall_offset_};
  return {clock_offset_ + now + now * drift_ppm_ / 1'000'000};
}

// ---- for the world

/// What its thread has under way fails, and it goes on to its end without being heard.
void Process::die() {
  if (dead_) return;
  around_.agenda.trace("die", number_);
  dead_ = true;
  jobs_.clear();
  keeper_.resume();
}

void Process::cut(bool requests, bool answers, int64_t until) {
  table_.wire().cut(requests, answers, until);
  shards_.wire().cut(requests, answers, until);
}

void Process::drain(int64_t most) {
  around_.agenda.trace("drain", number_);
  leaving_ = true;
  drained_by_ = around_.agenda.now() + most;
  post([this] { machine_.leave(); });
}

// ---- for the machine

void Process::post(std::function<void()> job) {
  if (dead_) return;
  jobs_.push_back(std::move(job));
  if (!idle_) return;
  deliver(around_.agenda.rng().between(5, 300), [this, number = wait_] { wake(number); });
}

void Process::lease_until(SteadyTime until) {
  lease_until_ = until.micros;
  if (dead_ || until.micros == 0) return;
  if (around_.mutations.lease_from_reply) {
    lease_until_ = steady().micros + k_lease - around_.mutations.margin_micros;
  }
  for (uint16_t i = 0; i < k_shards && lease_runs(); ++i) {
    if (shards_.serves({i}) && around_.others.others_answer(*this, {i})) {
      around_.judge.broken("I17", "a lease goes on for a shard that another one serves");
    }
  }
}

void Process::show(View view) { view_ = std::move(view); }

void Process::silent(const Member& member) {
  ++around_.stats.burials;
  around_.agenda.trace("silent", number_, process_of(member.incarnation));
}

void Process::buried() {
  if (dead_) return;
  ++around_.stats.reborn;
  around_.agenda.trace("buried", number_);
}

void Process::table_fails(const Status& why) {
  around_.agenda.trace("table fails", number_, static_cast<uint64_t>(why.code()));
}

void Process::members(const std::vector<Member>& members) {
  around_.agenda.trace("members", number_, members.size());
}

void Process::owned_elsewhere(Shard, const NodeName&, Epoch) {}

void Process::tell_to_look(const NodeName& node) {
  if (!dead_) around_.others.tell_to_look(node);
}

}  // namespace parley::sim::shared
