#include "conversation/model.hpp"

#include <gtest/gtest.h>

#include "tests/support/builders.hpp"

namespace parley {
namespace {

using build::id;
using build::money;

Money sum(const std::vector<Money>& amounts) {
  Totals totals;
  for (const Money& amount : amounts) totals.add({.cost = amount});
  return totals.cost.at(amounts.front().currency);
}

struct SumCase {
  std::vector<Money> amounts;
  Money expected;
};

TEST(Money, AddsWithCarriesAndSigns) {
  const std::vector<SumCase> cases = {
      {{money("USD", 1, 500'000'000)}, money("USD", 1, 500'000'000)},
      {{money("USD", 1, 600'000'000), money("USD", 0, 600'000'000)}, money("USD", 2, 200'000'000)},
      {{money("USD", 0, 999'999'999), money("USD", 0, 1)}, money("USD", 1, 0)},
      {{money("USD", -1, -600'000'000), money("USD", 0, -600'000'000)},
       money("USD", -2, -200'000'000)},
      {{money("USD", 1, 0), money("USD", 0, -1)}, money("USD", 0, 999'999'999)},
      {{money("USD", -1, 0), money("USD", 0, 1)}, money("USD", 0, -999'999'999)},
      {{money("USD", 2, 0), money("USD", -1, -500'000'000)}, money("USD", 0, 500'000'000)},
      {{money("USD", 1, 500'000'000), money("USD", -2, -700'000'000)},
       money("USD", -1, -200'000'000)},
      {{money("USD", 1, 200'000'000), money("USD", -1, -200'000'000)}, money("USD", 0, 0)},
      {{money("USD", 5, 0), money("USD", -3, -999'999'999)}, money("USD", 1, 1)},
  };
  for (const auto& [amounts, expected] : cases) EXPECT_EQ(sum(amounts), expected);
}

// In whole nanos, against 128-bit arithmetic.
TEST(Money, SumsLikeOneBigInteger) {
  uint64_t random = 88172645463325252U;
  const auto next = [&] {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random;
  };
  __int128 exact = 0;
  Totals totals;
  for (int i = 0; i < 2000; ++i) {
    const int64_t sign = next() % 2 == 0 ? 1 : -1;
    const Money amount =
        money("EUR", sign * static_cast<int64_t>(next() % 3),
              static_cast<int32_t>(sign * static_cast<int64_t>(next() % 1'000'000'000)));
    totals.add({.cost = amount});
    exact += static_cast<__int128>(amount.units) * 1'000'000'000 + amount.nanos;
    const Money& sum_so_far = totals.cost.at("EUR");
    const __int128 got = static_cast<__int128>(sum_so_far.units) * 1'000'000'000 + sum_so_far.nanos;
    ASSERT_TRUE(got == exact) << i;
    ASSERT_FALSE(sum_so_far.units > 0 && sum_so_far.nanos < 0);
    ASSERT_FALSE(sum_so_far.units < 0 && sum_so_far.nanos > 0);
  }
}

TEST(Totals, KeepCurrenciesApart) {
  Totals totals;
  totals.add({.cost = money("USD", 1, 0)});
  totals.add({.cost = money("EUR", 2, 0)});
  totals.add({.cost = money("USD", 3, 0)});
  EXPECT_EQ(totals.cost.size(), 2U);
  EXPECT_EQ(totals.cost.at("USD"), money("USD", 4, 0));
  EXPECT_EQ(totals.cost.at("EUR"), money("EUR", 2, 0));
}

TEST(Totals, LeaveTheUnpricedUnpriced) {
  Totals totals;
  totals.add({.usage = {.prompt = 3, .total = 3}});
  EXPECT_TRUE(totals.cost.empty());
  EXPECT_EQ(totals.usage.prompt, 3);
}

TEST(Usage, SaturatesInsteadOfWrapping) {
  Usage usage{.prompt = INT64_MAX - 1, .total = INT64_MIN + 1};
  usage += {.prompt = 5, .completion = 7, .total = -5};
  EXPECT_EQ(usage.prompt, INT64_MAX);
  EXPECT_EQ(usage.completion, 7);
  EXPECT_EQ(usage.total, INT64_MIN);
}

TEST(State, SpansAreThePastAndThenItsOwn) {
  State state;
  EXPECT_TRUE(state.spans({3}).empty());
  state.current.history = id(9);
  state.last_sequence = {4};
  EXPECT_EQ(state.spans({3}), (std::vector<HistorySpan>{{{3}, id(9), {1}, {4}}}));
  state.current.past = {{{1}, id(5), {1}, {2}}, {{2}, id(6), {3}, {4}}};
  EXPECT_EQ(state.spans({3}), state.current.past);
  state.last_sequence = {7};
  auto expected = state.current.past;
  expected.push_back({{3}, id(9), {5}, {7}});
  EXPECT_EQ(state.spans({3}), expected);
}

TEST(State, FindsTheLineageThatKeepsAChild) {
  State state;
  state.current.children = {{"c", id(1), {2}}};
  state.former.push_back({.history = id(7), .children = {{"d", id(2), {3}}}});
  EXPECT_EQ(state.lineage_of_child(id(1)), &state.current);
  EXPECT_EQ(state.lineage_of_child(id(2)), &state.former.front());
  EXPECT_EQ(state.lineage_of_child(id(3)), nullptr);
}

TEST(State, VanishesOnlyWhenNothingIsLeftThatAnyoneNeeds) {
  EXPECT_TRUE(State{}.vanished());
  State with_former;
  with_former.former.push_back({.history = id(1), .children = {{"c", id(2), {1}}}});
  EXPECT_FALSE(with_former.vanished());
  State with_release;
  with_release.pending_releases.push_back({"p", id(2)});
  EXPECT_FALSE(with_release.vanished());
  State with_request;
  with_request.dedup.remember({id(1), 1, {}}, 10);
  EXPECT_FALSE(with_request.vanished());
}

}  // namespace
}  // namespace parley
