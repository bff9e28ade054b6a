#include "services/providers/json_path.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> found(const char* path, const char* document) {
  std::vector<std::string> all;
  const auto parsed = JsonPath::parse(path);
  EXPECT_TRUE(parsed) << path;
  parsed->each(Json::parse(document),
               [&all](const Json& value) { all.push_back(scalar_text(value)); });
  return all;
}

TEST(JsonPaths, LeadThroughObjectsAndLists) {
  const char* document = R"({"a": [{"b": [{"id": "x"}, {"id": "y"}]}, {"b": [{"id": "z"}]}]})";
  EXPECT_THAT(found("a[].b[].id", document), ElementsAre("x", "y", "z"));
  EXPECT_THAT(found("a[].b", document), ElementsAre("", ""));
  EXPECT_THAT(found("[][]", "[[1, 2], [3]]"), ElementsAre("1", "2", "3"));
  EXPECT_THAT(found("[].id", R"([{"id": 7}])"), ElementsAre("7"));
}

TEST(JsonPaths, FindNothingWhereTheDocumentIsAnother) {
  EXPECT_THAT(found("a[].b", R"({"a": {"b": 1}})"), IsEmpty());
  EXPECT_THAT(found("a.b", R"({"a": [{"b": 1}]})"), IsEmpty());
  EXPECT_THAT(found("a", R"({"a": null})"), IsEmpty());
  EXPECT_THAT(found("a", "17"), IsEmpty());
}

TEST(JsonPaths, RefuseWhatIsNone) {
  for (const char* text : {"", ".", "a..b", "a.", ".a", "a[", "a[0]", "a]b", "a.[]"}) {
    EXPECT_FALSE(JsonPath::parse(text)) << text;
  }
  std::string deep = "a";
  for (int i = 0; i < 40; ++i) deep += ".a";
  EXPECT_FALSE(JsonPath::parse(deep));
}

TEST(JsonDocuments, AreRefusedWhereTheyAreNoneOrNestTooDeeply) {
  EXPECT_TRUE(parse_document(R"({"a": [1, "\u00e4"]})"));
  for (const char* text : {"", "{", "{\"a\": 1} x", "\"\xFF\""}) {
    EXPECT_FALSE(parse_document(text)) << text;
  }
  EXPECT_FALSE(parse_document(std::string(100'000, '[') + std::string(100'000, ']')));
}

TEST(JsonCounts, AreWholeAndNotNegative) {
  const Json document = Json::parse(R"({"a": 7, "b": -1, "c": 1.9, "d": "7", "e": 1e300,
                                        "f": 18446744073709551615, "g": null})");
  EXPECT_EQ(count_at(document, {"a"}), 7);
  EXPECT_EQ(count_at(document, {"c"}), 1);
  for (const char* name : {"b", "d", "e", "f", "g", "h"}) {
    EXPECT_EQ(count_at(document, {name}), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace parley
