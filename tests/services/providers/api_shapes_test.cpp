#include "services/providers/api_shapes.hpp"

#include <string>

#include <gtest/gtest.h>

namespace parley {
namespace {

std::string shape(const char* document) { return api_shape(Json::parse(document)); }

TEST(ApiShapes, AreKnownByWhatADocumentCallsItself) {
  EXPECT_EQ(shape(R"({"object": "chat.completion.chunk"})"), "chat.completions");
  EXPECT_EQ(shape(R"({"object": "response"})"), "responses");
  EXPECT_EQ(shape(R"({"object": "response.compaction"})"), "responses.compact");
  EXPECT_EQ(shape(R"({"type": "response.created", "response": {}})"), "responses");
  EXPECT_EQ(shape(R"({"type": "message_start", "message": {}})"), "messages");
  EXPECT_EQ(shape(R"({"type": "message-start"})"), "chat.v2");
}

TEST(ApiShapes, AreKnownByWhatADocumentHas) {
  EXPECT_EQ(shape(R"({"choices": []})"), "chat.completions");
  EXPECT_EQ(shape(R"({"candidates": []})"), "generateContent");
  EXPECT_EQ(shape(R"({"stopReason": "end_turn", "output": {}})"), "converse");
  EXPECT_EQ(shape(R"({"stop_reason": "end_turn", "content": []})"), "messages");
}

TEST(ApiShapes, AreUnknownWhereItCouldBeAny) {
  EXPECT_EQ(shape(R"({"error": {"message": "no"}})"), "");
  EXPECT_EQ(shape("[]"), "");
  EXPECT_EQ(shape("7"), "");
}

}  // namespace
}  // namespace parley
