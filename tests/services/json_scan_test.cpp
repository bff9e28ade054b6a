#include "services/json_scan.hpp"

#include <random>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace parley {
namespace {

TEST(JsonScan, FindsMembersAsTheyAreWritten) {
  const auto members =
      raw_members(R"( { "a" : 1 , "b\"]" : [ "]" , {"x":"}"} ] ,"c":"\\","d":true } )");
  ASSERT_EQ(members.size(), 4U);
  EXPECT_EQ(members[0].key, "\"a\"");
  EXPECT_EQ(members[0].value, "1");
  EXPECT_EQ(members[1].key, "\"b\\\"]\"");
  EXPECT_EQ(members[1].value, R"([ "]" , {"x":"}"} ])");
  EXPECT_EQ(members[2].value, R"("\\")");
  EXPECT_EQ(members[3].value, "true");
  EXPECT_TRUE(raw_members("{}").empty());
}

TEST(JsonScan, FindsElementsAsTheyAreWritten) {
  const auto elements = raw_elements(R"([1,"a,b" , null,[[]],{"k":[1,2]}, -2.5e3 ])");
  ASSERT_EQ(elements.size(), 6U);
  EXPECT_EQ(elements[1], "\"a,b\"");
  EXPECT_EQ(elements[3], "[[]]");
  EXPECT_EQ(elements[5], "-2.5e3");
  EXPECT_TRUE(raw_elements("[ ]").empty());
}

TEST(JsonScan, MeasuresNestingOutsideStrings) {
  EXPECT_FALSE(nests_deeper(R"({"a":["[[[[{{{{\"[["]})", 2));
  EXPECT_TRUE(nests_deeper("[[[]]]", 2));
  EXPECT_FALSE(nests_deeper("[[]][[]]", 2));
  EXPECT_TRUE(nests_deeper(std::string(1'000'000, '['), 512));
}

TEST(JsonScan, StaysWithinAnyText) {
  std::mt19937 random(7);
  constexpr std::string_view k_alphabet = "{}[]\",:\\ 1ax";
  for (int i = 0; i < 200'000; ++i) {
    std::string text(random() % 24, 0);
    for (char& c : text) c = k_alphabet[random() % k_alphabet.size()];
    // Exact buffers: a sanitizer sees any step beyond them.
    const std::vector<char> exact(text.begin(), text.end());
    const std::string_view view(exact.data(), exact.size());
    raw_members(view);
    raw_elements(view);
    nests_deeper(view, 3);
  }
}

TEST(JsonScan, AgreesWithTheParserOnValidArrays) {
  std::mt19937 random(11);
  constexpr std::string_view k_alphabet = "{}[]\",:1";
  size_t valid = 0;
  for (int i = 0; i < 400'000; ++i) {
    std::string text = "[";
    for (auto length = random() % 9; length > 0; --length) {
      text += k_alphabet[random() % k_alphabet.size()];
    }
    text += "]";
    const auto parsed = nlohmann::json::parse(text, nullptr, false);
    if (!parsed.is_array()) continue;
    ++valid;
    ASSERT_EQ(raw_elements(text).size(), parsed.size()) << text;
  }
  EXPECT_GT(valid, 100U);
}

}  // namespace
}  // namespace parley
