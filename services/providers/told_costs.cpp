#include "services/providers/told_costs.hpp"

#include <array>
#include <cmath>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "services/providers/decimal_money.hpp"
#include "services/providers/extraction.hpp"

namespace parley {
namespace {

/// xAI counts in ticks: ten thousand millionths of a dollar are a million of them.
constexpr int k_tick_power = -10;
constexpr double k_micros_max = 1.0e15;

/// Why fifteen digits: so many of a decimal number survive being a double, whichever they are.
std::string decimal_of(const Json& number) {
  if (!number.is_number()) return {};
  return number.is_number_float() ? absl::StrFormat("%.15g", number.get<double>()) : number.dump();
}

std::optional<Money> dollars_at(const Json& in, const Names& place, int power = 0) {
  const Json* found = find(in, place);
  return found == nullptr ? std::nullopt : dollars(decimal_of(*found), power);
}

/// Of an object that reports usage.
std::optional<Money> told_in(const Json& usage) {
  if (auto cost = dollars_at(usage, {"cost_in_usd_ticks"}, k_tick_power)) return cost;
  if (auto cost = dollars_at(usage, {"cost", "total_cost"})) return cost;
  auto cost = dollars_at(usage, {"cost"});
  const Json* own_key = find(usage, {"is_byok"});
  if (cost && own_key != nullptr && own_key->is_boolean() && own_key->get<bool>()) {
    if (const auto upstream = dollars_at(usage, {"cost_details", "upstream_inference_cost"})) {
      Totals sum;
      sum.add({{}, cost, {}, {}});
      sum.add({{}, upstream, {}, {}});
      cost = sum.cost.begin()->second;
    }
  }
  return cost;
}

struct Told {
  std::string_view name;
  double micros;  ///< in one of what it counts
};

std::optional<ToldLatency> of_number(double value, const Told& told) {
  const double micros = value * told.micros;
  if (!(micros > 0) || micros > k_micros_max) return std::nullopt;
  return ToldLatency{std::llround(micros), std::string(told.name)};
}

}  // namespace

void take_cost(const Json& document, std::optional<Money>& cost) {
  constexpr std::array<Names, 4> k_usages = {
      {{"usage"}, {"response", "usage"}, {"message", "usage"}, {"interaction", "usage"}}};
  constexpr std::array<Names, 2> k_totals = {{{"data", "total_cost"}, {"total_cost_usd"}}};
  for (const Names& place : k_usages) {
    const Json* usage = find(document, place);
    if (usage == nullptr || !usage->is_object()) continue;
    if (auto told = told_in(*usage)) cost = std::move(told);
  }
  for (const Names& place : k_totals) {
    if (auto told = dollars_at(document, place)) cost = std::move(told);
  }
}

void take_latency(const Json& document, std::optional<ToldLatency>& latency) {
  constexpr double k_of_ms = 1'000;
  constexpr double k_of_s = 1'000'000;
  constexpr double k_of_ns = 0.001;
  struct Place {
    Names names;
    Told told;
  };
  constexpr std::array<Place, 9> k_places = {
      {{{"metrics", "latencyMs"}, {"metrics.latencyMs", k_of_ms}},
       {{"metadata", "metrics", "latencyMs"}, {"metadata.metrics.latencyMs", k_of_ms}},
       {{"amazon-bedrock-invocationMetrics", "invocationLatency"},
        {"amazon-bedrock-invocationMetrics.invocationLatency", k_of_ms}},
       {{"usage", "latency_checkpoint", "total_duration_ms"},
        {"usage.latency_checkpoint.total_duration_ms", k_of_ms}},
       {{"usage", "total_time"}, {"usage.total_time", k_of_s}},
       {{"x_groq", "usage", "total_time"}, {"x_groq.usage.total_time", k_of_s}},
       {{"time_info", "total_time"}, {"time_info.total_time", k_of_s}},
       {{"total_duration"}, {"total_duration", k_of_ns}},
       {{"data", "latency"}, {"data.latency", k_of_ms}}}};
  for (const Place& place : k_places) {
    const Json* found = find(document, place.names);
    if (found == nullptr || !found->is_number()) continue;
    if (auto told = of_number(found->get<double>(), place.told)) {
      latency = std::move(told);
      return;
    }
  }
}

std::optional<ToldLatency> latency_in(const ResponseHeaders& headers) {
  for (const char* name : {"openai-processing-ms", "x-amzn-bedrock-invocation-latency",
                           "x-metrics-e2e-ms", "x-envoy-upstream-service-time"}) {
    const auto found = headers.find(name);
    double millis = 0;
    if (found == headers.end() || !absl::SimpleAtod(found->second, &millis)) continue;
    if (auto told = of_number(millis, {name, 1'000})) return told;
  }
  return std::nullopt;
}

}  // namespace parley
