#include "services/providers/usage_rules.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace parley {
namespace {

constexpr int k_depth_max = 8;
/// No provider counts so many; sums of a few such are still far from overflowing.
constexpr int64_t k_tokens_max = 1'000'000'000'000'000;

bool has_any(const Json& in, std::initializer_list<std::string_view> names) {
  return std::ranges::any_of(names,
                             [&in](std::string_view name) { return find(in, {name}) != nullptr; });
}

int64_t count(const Json& in, const Names& names) {
  return std::min(count_at(in, names).value_or(0), k_tokens_max);
}

/// The first of these that is above zero.
int64_t first_count(const Json& in, std::initializer_list<Names> places) {
  for (const Names& names : places) {
    if (const int64_t found = count(in, names); found > 0) return found;
  }
  return 0;
}

/// Fills in the total where the provider gave none.
ReportedUsage with_total(ReportedUsage it, std::optional<int64_t> total) {
  it.usage.total = total.value_or(it.usage.prompt + it.usage.completion);
  return it;
}

/// OpenAI's first names, and those of all who took them over.
ReportedUsage of_chat(const Json& in) {
  ReportedUsage it;
  it.usage.prompt = count(in, {"prompt_tokens"});
  it.usage.completion = count(in, {"completion_tokens"});
  it.usage.cached = first_count(in, {{"prompt_tokens_details", "cached_tokens"},
                                     {"prompt_token_details", "cached_tokens"},
                                     {"prompt_cache_hit_tokens"},
                                     {"num_cached_tokens"},
                                     {"cached_tokens"}});
  it.usage.cache_write = count(in, {"prompt_tokens_details", "cache_write_tokens"});
  it.usage.reasoning =
      first_count(in, {{"completion_tokens_details", "reasoning_tokens"}, {"reasoning_tokens"}});
  const auto total = count_at(in, {"total_tokens"});
  // Some leave reasoning out of the completion, or sound out of the prompt: their total shows it.
  const int64_t visible = it.usage.prompt + it.usage.completion;
  const int64_t sound = count(in, {"prompt_tokens_details", "audio_tokens"});
  if (sound > 0 && total == visible + sound) it.usage.prompt += sound;
  if (it.usage.reasoning > 0 && total == visible + it.usage.reasoning) {
    it.reasoning_inside_output = false;
    it.usage.completion += it.usage.reasoning;
  }
  return with_total(it, total);
}

/// OpenAI's second names.
ReportedUsage of_responses(const Json& in) {
  ReportedUsage it;
  it.usage.prompt = count(in, {"input_tokens"});
  it.usage.completion = count(in, {"output_tokens"});
  it.usage.cached = count(in, {"input_tokens_details", "cached_tokens"});
  it.usage.cache_write = count(in, {"input_tokens_details", "cache_write_tokens"});
  it.usage.reasoning = count(in, {"output_tokens_details", "reasoning_tokens"});
  return with_total(it, count_at(in, {"total_tokens"}));
}

Usage anthropic_counts(const Json& in) {
  Usage usage;
  usage.cached = count(in, {"cache_read_input_tokens"});
  usage.cache_write = count(in, {"cache_creation_input_tokens"});
  usage.prompt = count(in, {"input_tokens"}) + usage.cached + usage.cache_write;
  usage.completion = count(in, {"output_tokens"});
  usage.reasoning = count(in, {"output_tokens_details", "thinking_tokens"});
  usage.total = usage.prompt + usage.completion;
  return usage;
}

ReportedUsage of_anthropic(const Json& in) {
  ReportedUsage it;
  it.cached_inside_input = false;
  it.usage = anthropic_counts(in);
  it.cache_write_1h = count(in, {"cache_creation", "ephemeral_1h_input_tokens"});
  // The counts above are those of the answer's own iterations; all of them are billed.
  const Json* iterations = find(in, {"iterations"});
  if (iterations != nullptr && iterations->is_array() && !iterations->empty()) {
    it.billed.emplace();
    for (const Json& each : *iterations) *it.billed += anthropic_counts(each);
  }
  return it;
}

ReportedUsage of_gemini(const Json& in) {
  ReportedUsage it;
  it.reasoning_inside_output = false;
  it.usage.prompt = count(in, {"promptTokenCount"}) + count(in, {"toolUsePromptTokenCount"});
  it.usage.cached = count(in, {"cachedContentTokenCount"});
  it.usage.reasoning = count(in, {"thoughtsTokenCount"});
  it.usage.completion =
      first_count(in, {{"candidatesTokenCount"}, {"responseTokenCount"}}) + it.usage.reasoning;
  return with_total(it, count_at(in, {"totalTokenCount"}));
}

ReportedUsage of_interactions(const Json& in) {
  ReportedUsage it;
  it.reasoning_inside_output = false;
  it.usage.prompt = count(in, {"total_input_tokens"}) + count(in, {"total_tool_use_tokens"});
  it.usage.cached = count(in, {"total_cached_tokens"});
  it.usage.reasoning = count(in, {"total_thought_tokens"});
  it.usage.completion = count(in, {"total_output_tokens"}) + it.usage.reasoning;
  return with_total(it, count_at(in, {"total_tokens"}));
}

ReportedUsage of_bedrock(const Json& in) {
  ReportedUsage it;
  it.cached_inside_input = false;
  it.usage.cached = first_count(in, {{"cacheReadInputTokens"}, {"cacheReadInputTokenCount"}});
  it.usage.cache_write =
      first_count(in, {{"cacheWriteInputTokens"}, {"cacheWriteInputTokenCount"}});
  it.usage.prompt = first_count(in, {{"inputTokens"}, {"inputTokenCount"}}) + it.usage.cached +
                    it.usage.cache_write;
  it.usage.completion = first_count(in, {{"outputTokens"}, {"outputTokenCount"}});
  const Json* details = find(in, {"cacheDetails"});
  if (details != nullptr && details->is_array()) {
    for (const Json& each : *details) {
      if (text_at(each, {"ttl"}) == "1h") it.cache_write_1h += count(each, {"inputTokens"});
    }
  }
  return with_total(it, count_at(in, {"totalTokens"}));
}

/// What the model read, beside what is billed of it.
ReportedUsage of_cohere(const Json& in) {
  const auto counts = [&in](std::string_view part) {
    Usage usage;
    usage.prompt = count(in, {part, "input_tokens"});
    usage.completion = count(in, {part, "output_tokens"});
    usage.total = usage.prompt + usage.completion;
    return usage;
  };
  ReportedUsage it;
  const bool both = find(in, {"tokens"}) != nullptr && find(in, {"billed_units"}) != nullptr;
  it.usage = counts(find(in, {"tokens"}) != nullptr ? "tokens" : "billed_units");
  if (both) it.billed = counts("billed_units");
  it.usage.cached = count(in, {"cached_tokens"});
  it.usage.reasoning = count(in, {"tokens", "reasoning_tokens"});
  return it;
}

/// Models that only count what goes in and what comes out, each by other names.
ReportedUsage of_two_counts(const Json& in, const Names& prompt, const Names& completion) {
  ReportedUsage it;
  it.usage.prompt = count(in, prompt);
  it.usage.completion = count(in, completion);
  return with_total(it, {});
}

ReportedUsage of_generation(const Json& in) {
  ReportedUsage it;
  it.usage.prompt = first_count(in, {{"native_tokens_prompt"}, {"tokens_prompt"}});
  it.usage.completion = first_count(in, {{"native_tokens_completion"}, {"tokens_completion"}});
  it.usage.cached = count(in, {"native_tokens_cached"});
  it.usage.reasoning = count(in, {"native_tokens_reasoning"});
  return with_total(it, {});
}

ReportedUsage of_titan(const Json& in) {
  ReportedUsage it;
  it.usage.prompt = count(in, {"inputTextTokenCount"});
  if (const Json* results = find(in, {"results"}); results != nullptr && results->is_array()) {
    for (const Json& each : *results) it.usage.completion += count(each, {"tokenCount"});
  }
  return with_total(it, {});
}

/// By the names that are there, not by who sent them: many speak with the names of others.
std::optional<ReportedUsage> by_names(const Json& in) {
  if (has_any(in, {"promptTokenCount", "candidatesTokenCount", "totalTokenCount"})) {
    return of_gemini(in);
  }
  if (has_any(in, {"total_input_tokens", "total_output_tokens"})) return of_interactions(in);
  if (has_any(in, {"billed_units", "tokens"})) return of_cohere(in);
  if (has_any(in, {"inputTokens", "outputTokens", "inputTokenCount", "outputTokenCount"})) {
    return of_bedrock(in);
  }
  if (has_any(in, {"native_tokens_prompt", "tokens_prompt"})) return of_generation(in);
  if (has_any(in, {"prompt_tokens", "completion_tokens"})) return of_chat(in);
  if (has_any(in, {"input_tokens", "output_tokens"})) {
    const bool outside = has_any(in, {"cache_read_input_tokens", "cache_creation_input_tokens",
                                      "cache_creation", "iterations"});
    return outside ? of_anthropic(in) : of_responses(in);
  }
  if (has_any(in, {"prompt_eval_count", "eval_count"})) {
    return of_two_counts(in, {"prompt_eval_count"}, {"eval_count"});
  }
  if (has_any(in, {"prompt_token_count", "generation_token_count"})) {
    return of_two_counts(in, {"prompt_token_count"}, {"generation_token_count"});
  }
  if (has_any(in, {"inputTextTokenCount"})) return of_titan(in);
  return std::nullopt;
}

void note_counts(const Json& in, const std::string& path, int depth, ReportedUsage& it) {
  if (!in.is_object() || depth > k_depth_max) return;
  for (const auto& [name, value] : in.items()) {
    const std::string place = path.empty() ? name : absl::StrCat(path, ".", name);
    if (value.is_number_integer()) {
      if (const auto found = count_at(in, {name})) it.counts.emplace(place, *found);
    } else {
      note_counts(value, place, depth + 1, it);
    }
  }
}

void merge(const Json& from, Json& into) {
  for (const auto& [name, value] : from.items()) {
    if (value.is_null()) continue;
    Json& there = into[name];
    if (value.is_object() && there.is_object()) {
      merge(value, there);
    } else {
      there = value;
    }
  }
}

/// Where a document has the object that reports usage; null where it has none.
const Json* reported_in(const Json& document) {
  constexpr std::array<Names, 12> k_places = {{{"usage"},
                                               {"usageMetadata"},
                                               {"message", "usage"},
                                               {"response", "usage"},
                                               {"interaction", "usage"},
                                               {"delta", "usage"},
                                               {"metadata", "usage"},
                                               {"x_groq", "usage"},
                                               {"meta"},
                                               {"response", "meta"},
                                               {"model_usage"},
                                               {"data"}}};
  for (const Names& place : k_places) {
    const Json* found = find(document, place);
    if (found != nullptr && found->is_object() && by_names(*found)) return found;
  }
  return document.is_object() && by_names(document) ? &document : nullptr;
}

}  // namespace

std::optional<ReportedUsage> usage_of(const Json& reported) {
  auto usage = by_names(reported);
  if (usage) note_counts(reported, {}, 0, *usage);
  return usage;
}

void UsageReader::read(const Json& document) {
  if (const Json* reported = reported_in(document)) {
    merge(*reported, reported_);
  } else if (const Json* metrics = find(document, {"amazon-bedrock-invocationMetrics"})) {
    if (reported_.empty()) merge(*metrics, reported_);
  }
}

std::optional<ReportedUsage> UsageReader::usage(const ResponseHeaders& headers) const {
  if (auto usage = usage_of(reported_)) return usage;
  Json counts = Json::object();
  const auto take = [&](const char* header, const char* name) {
    const auto found = headers.find(header);
    int64_t value = 0;
    if (found != headers.end() && absl::SimpleAtoi(found->second, &value)) counts[name] = value;
  };
  take("x-amzn-bedrock-input-token-count", "inputTokens");
  take("x-amzn-bedrock-output-token-count", "outputTokens");
  take("x-amzn-bedrock-cache-read-input-token-count", "cacheReadInputTokens");
  take("x-amzn-bedrock-cache-write-input-token-count", "cacheWriteInputTokens");
  return usage_of(counts);
}

}  // namespace parley
