#include "services/providers/told_costs.hpp"

#include <optional>

#include <gtest/gtest.h>

#include "services/providers/extraction.hpp"

namespace parley {
namespace {

std::optional<Money> cost(const char* document) {
  std::optional<Money> told;
  take_cost(Json::parse(document), told);
  return told;
}

std::optional<ToldLatency> latency(const char* document) {
  std::optional<ToldLatency> told;
  take_latency(Json::parse(document), told);
  return told;
}

TEST(ToldCosts, AreExact) {
  EXPECT_EQ(cost(R"({"usage": {"cost": 0.01355025}})"), (Money{"USD", 0, 13'550'250}));
  EXPECT_EQ(cost(R"({"usage": {"cost_in_usd_ticks": 1176500}})"), (Money{"USD", 0, 117'650}));
  EXPECT_EQ(cost(R"({"usage": {"cost": {"request_cost": 0.005, "total_cost": 0.00502}}})"),
            (Money{"USD", 0, 5'020'000}));
  EXPECT_EQ(cost(R"({"response": {"usage": {"cost": 2}}})"), (Money{"USD", 2, 0}));
}

TEST(ToldCosts, OfSomebodysOwnKeyHaveWhatThatOneIsCharged) {
  EXPECT_EQ(cost(R"({"usage": {"cost": 0.001, "is_byok": true,
                     "cost_details": {"upstream_inference_cost": 0.02}}})"),
            (Money{"USD", 0, 21'000'000}));
  EXPECT_EQ(cost(R"({"usage": {"cost": 0.001, "is_byok": false,
                     "cost_details": {"upstream_inference_cost": 0.02}}})"),
            (Money{"USD", 0, 1'000'000}));
}

TEST(ToldCosts, AreNoneWhereNobodySaysOne) {
  EXPECT_EQ(cost(R"({"usage": {"prompt_tokens": 7}})"), std::nullopt);
  EXPECT_EQ(cost(R"({"usage": {"cost": null}})"), std::nullopt);
  EXPECT_EQ(cost(R"({"usage": {"cost": -1}})"), std::nullopt);
}

TEST(ToldLatencies, AreReadInTheirOwnUnits) {
  EXPECT_EQ(latency(R"({"metrics": {"latencyMs": 2818}})"),
            (ToldLatency{2'818'000, "metrics.latencyMs"}));
  EXPECT_EQ(latency(R"({"usage": {"total_time": 0.395973}})"),
            (ToldLatency{395'973, "usage.total_time"}));
  EXPECT_EQ(latency(R"({"total_duration": 5000000})"), (ToldLatency{5'000, "total_duration"}));
  EXPECT_EQ(latency(R"({"usage": {}})"), std::nullopt);
  EXPECT_EQ(latency_in({{"openai-processing-ms", "365"}}),
            (ToldLatency{365'000, "openai-processing-ms"}));
  EXPECT_EQ(latency_in({{"openai-processing-ms", "soon"}}), std::nullopt);
}

}  // namespace
}  // namespace parley
