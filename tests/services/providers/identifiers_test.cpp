#include "services/providers/identifiers.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

NamedValue in_body(const char* path, const char* value) { return {path, value, Found::body}; }

TEST(TheIdentifiers, AreAllThatIsCalledAnId) {
  Identifiers ids;
  ids.read(Json::parse(R"({"id": "resp_1", "output": [{"id": "fc_1", "call_id": "call_1"}],
                           "responseId": "r", "app_id": 12, "ids": ["a", "b"],
                           "system_fingerprint": "fp_1", "model": "m", "idle": "no"})"));
  EXPECT_THAT(ids.all(), UnorderedElementsAre(
                             in_body("id", "resp_1"), in_body("output[].id", "fc_1"),
                             in_body("output[].call_id", "call_1"), in_body("responseId", "r"),
                             in_body("app_id", "12"), in_body("ids[]", "a"), in_body("ids[]", "b"),
                             in_body("system_fingerprint", "fp_1")));
}

TEST(TheIdentifiers, CountOnceHoweverOftenAStreamRepeatsThem) {
  Identifiers ids;
  for (int i = 0; i < 3; ++i) ids.read(Json::parse(R"({"id": "", "item_id": "msg_1"})"));
  EXPECT_THAT(ids.all(), ElementsAre(in_body("item_id", "msg_1")));
}

TEST(TheIdentifiers, AreNotWhatAModelWrote) {
  Identifiers ids;
  ids.read(Json::parse(R"({"content": [{"id": "toolu_1", "input": {"user_id": "u"}}],
                           "tools": [{"parameters": {"properties": {"id": {"id": "x"}}}}]})"));
  EXPECT_THAT(ids.all(), ElementsAre(in_body("content[].id", "toolu_1")));
}

TEST(TheIdentifiers, OfHeadersAreThoseThatNameSomething) {
  Identifiers ids;
  ids.read(ResponseHeaders{{"x-request-id", "req_1"},
                           {"content-type", "application/json"},
                           {"x-ratelimit-remaining-requests", "7"},
                           {"retry-after", "3"},
                           {"strict-transport-security", "max-age=1"}});
  EXPECT_THAT(ids.all(), ElementsAre(NamedValue{"x-request-id", "req_1", Found::header}));
}

TEST(TheIdentifiers, AreBoundedAndSaySo) {
  Identifiers ids;
  Json many = Json::array();
  for (size_t i = 0; i < Identifiers::k_most + 1; ++i) many.push_back(std::to_string(i));
  ids.read(Json{{"ids", many}});
  EXPECT_EQ(ids.all().size(), Identifiers::k_most);
  EXPECT_FALSE(ids.complete());
}

TEST(TheIdentifiers, MayBeAskedForByTheirPlace) {
  Identifiers wanted;
  const auto path = JsonPath::parse("metadata.ticket");
  ASSERT_TRUE(path);
  wanted.read(Json::parse(R"({"metadata": {"ticket": "T-1"}})"), *path, "metadata.ticket");
  wanted.read(Json::parse(R"({"metadata": {}})"), *path, "metadata.ticket");
  EXPECT_THAT(wanted.all(), ElementsAre(in_body("metadata.ticket", "T-1")));
}

TEST(TheIdentifiers, AreNoLongTexts) {
  Identifiers ids;
  ids.read(Json{{"id", std::string(5'000, 'x')}});
  EXPECT_THAT(ids.all(), IsEmpty());
}

}  // namespace
}  // namespace parley
