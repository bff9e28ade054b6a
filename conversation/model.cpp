#include "conversation/model.hpp"

#include <algorithm>

namespace parley {
namespace {

constexpr int32_t k_nanos_per_unit = 1'000'000'000;

int64_t saturating_add(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return b > 0 ? INT64_MAX : INT64_MIN;
  return sum;
}

/// Units and nanos end up with the same sign.
void add_money(Money& into, const Money& more) {
  int64_t nanos = int64_t{into.nanos} + more.nanos;
  int64_t units = saturating_add(into.units, more.units);
  units = saturating_add(units, nanos / k_nanos_per_unit);
  nanos %= k_nanos_per_unit;
  if (units > 0 && nanos < 0) {
    units -= 1;
    nanos += k_nanos_per_unit;
  } else if (units < 0 && nanos > 0) {
    units += 1;
    nanos -= k_nanos_per_unit;
  }
  into.units = units;
  into.nanos = static_cast<int32_t>(nanos);
}

}  // namespace

Usage& Usage::operator+=(const Usage& other) {
  prompt = saturating_add(prompt, other.prompt);
  completion = saturating_add(completion, other.completion);
  total = saturating_add(total, other.total);
  cached = saturating_add(cached, other.cached);
  cache_write = saturating_add(cache_write, other.cache_write);
  reasoning = saturating_add(reasoning, other.reasoning);
  return *this;
}

void Totals::add(const Charge& charge) {
  usage += charge.usage;
  if (!charge.cost) return;
  auto& sum = cost[charge.cost->currency];
  sum.currency = charge.cost->currency;
  add_money(sum, *charge.cost);
}

std::vector<HistorySpan> State::spans(Shard own) const {
  std::vector<HistorySpan> all = current.past;
  if (last_sequence > current.shared_through()) {
    all.push_back({own, current.history, {current.shared_through().value + 1}, last_sequence});
  }
  return all;
}

const Lineage* State::lineage_of_child(const Id128& child_history) const {
  const auto keeps = [&](const Lineage& lineage) {
    return std::any_of(lineage.children.begin(), lineage.children.end(),
                       [&](const ForkChild& child) { return child.history == child_history; });
  };
  if (keeps(current)) return &current;
  const auto found = std::find_if(former.begin(), former.end(), keeps);
  return found == former.end() ? nullptr : &*found;
}

}  // namespace parley
