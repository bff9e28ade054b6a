#include "tests/sim/shared/wire.hpp"

#include <utility>

#include "tests/sim/shared/process.hpp"

namespace parley::sim::shared {
int64_t Wire::way() const {
  const Around& around = process_.around();
  Rng& rng = around.agenda.rng();
  return rng.chance(around.rates.slow) ? rng.between(50'000, k_silence_max)
                                       : rng.between(50, 1'000);
}

bool Wire::lost(bool cut, uint32_t per_mille) const {
  const Around& around = process_.around();
  return (cut && around.agenda.now() < cut_until_) || around.agenda.rng().chance(per_mille);
}

void Wire::send(std::function<void()> carry_out, std::function<void(Told)> told) {
  const Around& around = process_.around();
  Rng& rng = around.agenda.rng();
  if (lost(broken_ && (requests_cut_ || answers_cut_), around.rates.refused)) {
    return process_.deliver(rng.between(50, 1'000'000), [told] { told(Told::refused); });
  }
  broken_ = false;
  const auto give_up = [this, told](int64_t after) {
    process_.deliver(after, [this, told] {
      broken_ = true;
      told(Told::unknown);
    });
  };
  const int64_t silence = rng.between(5'000, k_silence_max);
  if (lost(requests_cut_, around.rates.request_lost)) return give_up(silence);
  if (rng.chance(around.rates.late)) {
    ++around.stats.late;
    around.agenda.after(silence + rng.between(0, k_late_max), std::move(carry_out));
    return give_up(silence);
  }
  around.agenda.after(way(), [this, carry_out = std::move(carry_out), told, give_up, silence] {
    carry_out();
    if (lost(answers_cut_, process_.around().rates.answer_lost)) return give_up(silence);
    process_.deliver(way(), [told] { told(Told::answered); });
  });
}

}  // namespace parley::sim::shared
