#include "services/metadata_json.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "conversation/metadata.hpp"

namespace parley {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

std::string json_of(const Struct& metadata) {
  std::string json;
  EXPECT_FALSE(append_json(metadata, 32, json));
  return json;
}

std::string rewritten(std::string_view json) {
  Struct metadata;
  EXPECT_TRUE(parse_json(json, metadata)) << json;
  return json_of(metadata);
}

Struct number(double value) {
  Struct metadata;
  (*metadata.mutable_fields())["n"].set_number_value(value);
  return metadata;
}

TEST(MetadataJson, SortsMembersAndKeepsValues) {
  EXPECT_EQ(rewritten(R"({"b":[1,2.5,"x",null,true,{}],"a":{"z":-1,"y":[]}})"),
            R"({"a":{"y":[],"z":-1},"b":[1,2.5,"x",null,true,{}]})");
  EXPECT_EQ(rewritten(""), "{}");
}

TEST(MetadataJson, WritesWholeNumbersWithoutFraction) {
  EXPECT_EQ(json_of(number(3)), R"({"n":3})");
  EXPECT_EQ(json_of(number(-9007199254740992.0)), R"({"n":-9007199254740992})");
  EXPECT_EQ(json_of(number(0.1)), R"({"n":0.1})");
  EXPECT_EQ(json_of(number(1e22)), R"({"n":1e+22})");
  EXPECT_EQ(json_of(number(-0.0)), R"({"n":-0.0})");
  EXPECT_EQ(json_of(number(5e-324)), R"({"n":5e-324})");
}

TEST(MetadataJson, RefusesWhatJsonLacks) {
  std::string json;
  for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(append_json(number(value), 32, json), MetadataProblem::not_finite);
  }
  Struct empty;
  (*empty.mutable_fields())["x"];
  EXPECT_EQ(append_json(empty, 32, json), MetadataProblem::no_kind);
}

TEST(MetadataJson, BoundsTheDepth) {
  Struct metadata;
  Struct* inner = &metadata;
  for (int i = 1; i < 32; ++i) inner = (*inner->mutable_fields())["k"].mutable_struct_value();
  (*inner->mutable_fields())["k"].set_bool_value(true);
  std::string json;
  EXPECT_FALSE(append_json(metadata, 32, json));
  // What passes here must pass where it is merged.
  EXPECT_TRUE(merge_metadata("", json, 32).ok());
  (*inner->mutable_fields())["k"].mutable_list_value();
  EXPECT_EQ(append_json(metadata, 32, json), MetadataProblem::too_deep);
}

TEST(MetadataJson, EscapesStringsAsTheMergeDoes) {
  std::string all;
  for (char c = 0; c < 0x7f; ++c) all += c;
  all += "\x7f ä 漢 😀";
  Struct metadata;
  (*metadata.mutable_fields())[all].set_string_value(all);
  const std::string json = json_of(metadata);
  EXPECT_EQ(json, merge_metadata("", json, 32).value());
  EXPECT_EQ(rewritten(json), json);
}

TEST(MetadataJson, RefusesWhatIsNoObject) {
  Struct metadata;
  for (const char* text : {"[]", "1", "{", "{\"a\":1e999}", "nul", "{}x"}) {
    EXPECT_FALSE(parse_json(text, metadata)) << text;
  }
}

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  void fill(Value& value, int depth) {
    switch (random_() % (depth < 5 ? 6 : 4)) {
      case 0:
        return value.set_null_value(google::protobuf::NULL_VALUE);
      case 1:
        return value.set_bool_value(random_() % 2 == 0);
      case 2: {
        const uint64_t bits = random_();
        double number = 0;
        std::memcpy(&number, &bits, sizeof(number));
        return value.set_number_value(std::isfinite(number) ? number : 17);
      }
      case 3:
        return value.set_string_value(
            std::string(random_() % 9, static_cast<char>(random_() % 128)));
      case 4:
        return fill(*value.mutable_struct_value(), depth + 1);
      default:
        for (uint64_t i = random_() % 5; i > 0; --i) {
          fill(*value.mutable_list_value()->add_values(), depth + 1);
        }
        value.mutable_list_value();
    }
  }
  void fill(Struct& object, int depth) {
    object.Clear();
    for (uint64_t i = random_() % 5; i > 0; --i) {
      fill((*object.mutable_fields())[std::to_string(random_() % 100)], depth);
    }
  }

 private:
  std::mt19937_64 random_;
};

TEST(MetadataJson, ReadsBackWhatItWrote) {
  for (uint64_t seed = 0; seed < 2'000; ++seed) {
    Struct metadata;
    Generator(seed).fill(metadata, 1);
    const std::string json = json_of(metadata);
    Struct back;
    ASSERT_TRUE(parse_json(json, back)) << json;
    Value a;
    Value b;
    *a.mutable_struct_value() = metadata;
    *b.mutable_struct_value() = back;
    ASSERT_TRUE(equal_values(a, b)) << "seed " << seed << ": " << json;
    ASSERT_EQ(json_of(back), json) << "seed " << seed;
  }
}

}  // namespace
}  // namespace parley
