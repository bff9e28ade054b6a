#include "services/providers/finish_reasons.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace parley {
namespace {

std::string word(const std::vector<const char*>& documents) {
  FinishReader reader;
  for (const char* document : documents) reader.read(Json::parse(document));
  return reader.word();
}

TEST(FinishReasons, AreFoundWhereverProvidersPutThem) {
  EXPECT_EQ(word({R"({"choices": [{"finish_reason": "stop"}]})"}), "stop");
  EXPECT_EQ(word({R"({"stop_reason": "end_turn"})"}), "end_turn");
  EXPECT_EQ(word({R"({"candidates": [{"finishReason": "MAX_TOKENS"}]})"}), "MAX_TOKENS");
  EXPECT_EQ(word({R"({"promptFeedback": {"blockReason": "SAFETY"}})"}), "SAFETY");
  EXPECT_EQ(word({R"({"messageStop": {"stopReason": "tool_use"}})"}), "tool_use");
  EXPECT_EQ(word({R"({"object": "response", "status": "completed"})"}), "completed");
}

TEST(FinishReasons, AreTheLastOnesOfAStream) {
  EXPECT_EQ(word({R"({"choices": [{"finish_reason": null}]})",
                  R"({"choices": [{"finish_reason": "length"}]})", R"({"choices": []})"}),
            "length");
  EXPECT_EQ(word({R"({"response": {"object": "response", "status": "in_progress"}})",
                  R"({"response": {"object": "response", "status": "completed"}})"}),
            "completed");
}

TEST(FinishReasons, SayWhyAnAnswerIsIncomplete) {
  EXPECT_EQ(word({R"({"object": "response", "status": "incomplete",
                      "incomplete_details": {"reason": "content_filter"}})"}),
            "content_filter");
}

TEST(FinishReasons, AreNoStatesOfOtherThings) {
  EXPECT_EQ(word({R"({"status": "ok"})"}), "");
  EXPECT_EQ(word({R"({"error": {"status": "INVALID_ARGUMENT"}})"}), "");
}

TEST(FinishReasons, HaveKindsWhateverTheirCase) {
  EXPECT_EQ(finish_kind("STOP"), FinishKind::stop);
  EXPECT_EQ(finish_kind("max_tokens"), FinishKind::length);
  EXPECT_EQ(finish_kind("TOOL_CALL"), FinishKind::tool_calls);
  EXPECT_EQ(finish_kind("guardrail_intervened"), FinishKind::content_filter);
  EXPECT_EQ(finish_kind("pause_turn"), FinishKind::unfinished);
  EXPECT_EQ(finish_kind("something new"), FinishKind::unknown);
  EXPECT_EQ(finish_kind(""), FinishKind::unknown);
}

}  // namespace
}  // namespace parley
