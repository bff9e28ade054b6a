#include "tests/sim/settings.hpp"

namespace parley::sim {
namespace {

/// Each fault is absent, rare or frequent in a run, so that runs differ in kind.
uint32_t draw(Rng& rng, uint32_t rare, uint32_t frequent) {
  switch (rng.below(4)) {
    case 0:
      return 0;
    case 1:
      return frequent;
    default:
      return rare;
  }
}

}  // namespace

Rates draw_rates(Rng& rng) {
  Rates rates;
  rates.request_lost = draw(rng, 10, 80);
  rates.response_lost = draw(rng, 20, 120);
  rates.duplicate = draw(rng, 50, 250);
  rates.not_written = draw(rng, 10, 60);
  rates.unknown_lost = draw(rng, 10, 60);
  rates.unknown_written = draw(rng, 15, 80);
  rates.unknown_late = draw(rng, 15, 80);
  rates.slow = draw(rng, 20, 150);
  rates.load_fails = draw(rng, 10, 60);
  rates.grant_lost = draw(rng, 30, 200);
  rates.steal = draw(rng, 300, 800);
  rates.crash = draw(rng, 20, 100);
  rates.pause = draw(rng, 60, 250);
  rates.cut_off = draw(rng, 60, 250);
  rates.clock_jump = draw(rng, 50, 150);
  rates.passivate = draw(rng, 50, 300);
  return rates;
}

Limits draw_limits(Rng& rng) {
  Limits limits;
  limits.snapshot_events = 1 + rng.below(12);
  limits.snapshot_events_at_end = 1 + limits.snapshot_events / 4;
  limits.waiting_calls = rng.below(4) == 0 ? 3 : 4096;
  limits.forks_per_conversation = rng.below(4) == 0 ? 2 : 1000;
  limits.fork_depth = rng.below(4) == 0 ? 2 : 64;
  return limits;
}

}  // namespace parley::sim
