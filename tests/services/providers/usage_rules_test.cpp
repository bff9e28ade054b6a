#include "services/providers/usage_rules.hpp"

#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace parley {
namespace {

Usage tokens(int64_t prompt, int64_t completion, int64_t total, int64_t cached = 0,
             int64_t cache_write = 0, int64_t reasoning = 0) {
  return {prompt, completion, total, cached, cache_write, reasoning};
}

ReportedUsage of(const char* reported) {
  const auto usage = usage_of(Json::parse(reported));
  EXPECT_TRUE(usage) << reported;
  return usage.value_or(ReportedUsage{});
}

TEST(UsageRules, CachedTokensInsideOfTheInputStayThere) {
  const auto it = of(R"({"prompt_tokens": 1420, "completion_tokens": 100, "total_tokens": 1520,
                         "prompt_tokens_details": {"cached_tokens": 1280, "cache_write_tokens": 7},
                         "completion_tokens_details": {"reasoning_tokens": 64}})");
  EXPECT_EQ(it.usage, tokens(1'420, 100, 1'520, 1'280, 7, 64));
  EXPECT_TRUE(it.cached_inside_input);
  EXPECT_TRUE(it.reasoning_inside_output);
  EXPECT_EQ(it.counts.at("prompt_tokens_details.cached_tokens"), 1'280);
}

TEST(UsageRules, CachedTokensBesideTheInputJoinIt) {
  const auto it = of(R"({"input_tokens": 11, "output_tokens": 100,
                         "cache_read_input_tokens": 1031, "cache_creation_input_tokens": 30,
                         "cache_creation": {"ephemeral_1h_input_tokens": 20,
                                            "ephemeral_5m_input_tokens": 10}})");
  EXPECT_EQ(it.usage, tokens(1'072, 100, 1'172, 1'031, 30));
  EXPECT_FALSE(it.cached_inside_input);
  EXPECT_EQ(it.cache_write_1h, 20);
}

TEST(UsageRules, ReasoningBesideTheOutputJoinsIt) {
  // The total tells: 12 + 1 + 228.
  const auto chat = of(R"({"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 241,
                           "completion_tokens_details": {"reasoning_tokens": 228}})");
  EXPECT_EQ(chat.usage, tokens(12, 229, 241, 0, 0, 228));
  EXPECT_FALSE(chat.reasoning_inside_output);
  const auto gemini = of(R"({"promptTokenCount": 30, "candidatesTokenCount": 7,
                             "thoughtsTokenCount": 90, "toolUsePromptTokenCount": 3,
                             "totalTokenCount": 130})");
  EXPECT_EQ(gemini.usage, tokens(33, 97, 130, 0, 0, 90));
}

TEST(UsageRules, SoundBesideThePromptJoinsIt) {
  EXPECT_EQ(of(R"({"prompt_tokens": 9, "completion_tokens": 201, "total_tokens": 585,
                   "prompt_tokens_details": {"audio_tokens": 375}})")
                .usage,
            tokens(384, 201, 585));
  EXPECT_EQ(of(R"({"prompt_tokens": 384, "completion_tokens": 201, "total_tokens": 585,
                   "prompt_tokens_details": {"audio_tokens": 375}})")
                .usage,
            tokens(384, 201, 585));
}

TEST(UsageRules, KnowManyNames) {
  EXPECT_EQ(
      of(R"({"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 5})").usage,
      tokens(9, 2, 11, 5));
  EXPECT_EQ(of(R"({"input_tokens": 9, "output_tokens": 2, "total_tokens": 11,
                   "input_tokens_details": {"cached_tokens": 5},
                   "output_tokens_details": {"reasoning_tokens": 1}})")
                .usage,
            tokens(9, 2, 11, 5, 0, 1));
  EXPECT_EQ(of(R"({"total_input_tokens": 9, "total_output_tokens": 2, "total_thought_tokens": 4,
                   "total_tool_use_tokens": 1, "total_tokens": 16})")
                .usage,
            tokens(10, 6, 16, 0, 0, 4));
  EXPECT_EQ(of(R"({"inputTokens": 10, "outputTokens": 4, "cacheReadInputTokens": 7351,
                   "totalTokens": 7365, "cacheDetails": [{"ttl": "1h", "inputTokens": 0}]})")
                .usage,
            tokens(7'361, 4, 7'365, 7'351));
  EXPECT_EQ(of(R"({"prompt_eval_count": 8, "eval_count": 3})").usage, tokens(8, 3, 11));
  EXPECT_EQ(of(R"({"inputTextTokenCount": 8, "results": [{"tokenCount": 3}]})").usage,
            tokens(8, 3, 11));
}

TEST(UsageRules, TellWhatIsBilledFromWhatWasRead) {
  const auto it = of(R"({"tokens": {"input_tokens": 1446, "output_tokens": 57},
                         "billed_units": {"input_tokens": 43, "output_tokens": 20}})");
  EXPECT_EQ(it.usage, tokens(1'446, 57, 1'503));
  EXPECT_EQ(it.billed, tokens(43, 20, 63));
  const auto rounds = of(R"({"input_tokens": 162, "output_tokens": 11, "iterations": [
      {"type": "compaction", "input_tokens": 99195, "output_tokens": 81},
      {"type": "message", "input_tokens": 162, "output_tokens": 11}]})");
  EXPECT_EQ(rounds.usage, tokens(162, 11, 173));
  EXPECT_EQ(rounds.billed, tokens(99'357, 92, 99'449));
}

TEST(UsageRules, CannotBeMadeToOverflow) {
  const auto it = of(R"({"input_tokens": 9e18, "output_tokens": 9e18,
                         "cache_read_input_tokens": 9e18, "cache_creation_input_tokens": 9e18})");
  EXPECT_GT(it.usage.total, 0);
}

TEST(UsageRules, SayNothingWhereNothingIsCounted) {
  for (const char* text : {"{}", "[]", "7", R"({"usage": 7})", R"({"input": 7})"}) {
    EXPECT_EQ(usage_of(Json::parse(text)), std::nullopt) << text;
  }
}

TEST(UsageOfAStream, IsWhatCameLastCountByCount) {
  UsageReader reader;
  for (const char* text :
       {R"({"type": "message_start", "message": {"usage": {"input_tokens": 11, "output_tokens": 1,
            "cache_read_input_tokens": 1031}}})",
        R"({"type": "content_block_delta"})",
        R"({"type": "message_delta", "usage": {"input_tokens": null, "output_tokens": 100}})"}) {
    reader.read(Json::parse(text));
  }
  const auto usage = reader.usage({});
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->usage, tokens(1'042, 100, 1'142, 1'031));
}

TEST(UsageOfAResponse, IsInItsHeadersWhereItsBodyIsSilent) {
  const ResponseHeaders headers = {{"x-amzn-bedrock-input-token-count", "3"},
                                   {"x-amzn-bedrock-output-token-count", "44"},
                                   {"x-amzn-bedrock-cache-read-input-token-count", "9511"}};
  UsageReader silent;
  silent.read(Json::parse(R"({"completion": "text"})"));
  const auto usage = silent.usage(headers);
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->usage, tokens(9'514, 44, 9'558, 9'511));
  UsageReader telling;
  telling.read(Json::parse(R"({"usage": {"input_tokens": 1, "output_tokens": 2}})"));
  EXPECT_EQ(telling.usage(headers)->usage, tokens(1, 2, 3));
}

}  // namespace
}  // namespace parley
