#include "tests/sim/shared/settings.hpp"

namespace parley::sim::shared {
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
  rates.refused = draw(rng, 10, 100);
  rates.request_lost = draw(rng, 5, 50);
  rates.answer_lost = draw(rng, 10, 80);
  rates.late = draw(rng, 5, 60);
  rates.slow = draw(rng, 10, 150);
  rates.stall = draw(rng, 2, 20);
  rates.call_stalls = draw(rng, 20, 300);
  rates.letter_lost = draw(rng, 100, 700);
  rates.crash = draw(rng, 40, 150);
  rates.pause = draw(rng, 150, 500);
  rates.double_start = draw(rng, 100, 500);
  rates.cut_off = draw(rng, 100, 400);
  rates.drain = draw(rng, 40, 200);
  rates.clock_jump = draw(rng, 100, 300);
  return rates;
}

}  // namespace parley::sim::shared
