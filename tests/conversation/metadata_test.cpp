#include "conversation/metadata.hpp"

#include <gtest/gtest.h>

namespace parley {
namespace {

struct MergeCase {
  const char* document;
  const char* patch;
  const char* expected;
};

// The examples of RFC 7396 whose target and patch are objects, and our own empty texts.
TEST(MergeMetadata, MergesAsRfc7396Says) {
  const std::vector<MergeCase> cases = {
      {"", "", ""},
      {"", R"({"a":1})", R"({"a":1})"},
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {R"({"a":"b"})", R"({"a":null})", ""},
      {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {R"({"e":null})", R"({"a":1})", R"({"a":1,"e":null})"},
      {"{}", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
  };
  for (const auto& [document, patch, expected] : cases) {
    const auto merged = merge_metadata(document, patch, 32);
    ASSERT_TRUE(merged.ok()) << merged.status();
    EXPECT_EQ(*merged, expected);
  }
}

TEST(MergeMetadata, RefusesWhatIsNoObject) {
  for (const char* text :
       {"1", "[]", "null", "{", "{\"a\":}", "\"a\"", "{\"a\":\"\xff\"}", "{}{}"}) {
    EXPECT_FALSE(merge_metadata("", text, 32).ok()) << text;
    EXPECT_FALSE(merge_metadata(text, "", 32).ok()) << text;
  }
}

std::string nested(size_t depth) {
  std::string text;
  for (size_t i = 0; i < depth; ++i) text += R"({"a":)";
  return text + "1" + std::string(depth, '}');
}

TEST(MergeMetadata, BoundsNestingAlsoOfHostileInput) {
  EXPECT_TRUE(merge_metadata("", nested(32), 32).ok());
  EXPECT_FALSE(merge_metadata("", nested(33), 32).ok());
  EXPECT_FALSE(merge_metadata("", nested(100'000), 32).ok());
  EXPECT_FALSE(merge_metadata("", R"({"a":)" + std::string(100'000, '['), 32).ok());
}

}  // namespace
}  // namespace parley
