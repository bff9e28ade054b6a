#include "services/providers/extraction.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/providers/catalogue.hpp"

namespace parley {
namespace {

using testing::Contains;

Extraction extracted(std::string_view body, const ResponseHeaders& headers = {}, int status = 200) {
  return extract({status, headers, body}, {{}, ProviderCatalogue::built_in().marks(), {}});
}

TEST(AnExtraction, FindsEverythingOfAnAnswer) {
  const auto it = extracted(
      R"({"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-x",
          "choices": [{"index": 0, "finish_reason": "tool_calls",
                       "message": {"tool_calls": [{"id": "call_1"}]}}],
          "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
          "service_tier": "default"})",
      {{"x-request-id", "req_1"},
       {"openai-processing-ms", "365"},
       {"openai-version", "2020-10-01"},
       {"x-ratelimit-limit-requests", "100"}});
  EXPECT_EQ(it.provider, "openai");
  EXPECT_EQ(it.api, "chat.completions");
  EXPECT_EQ(it.model, "gpt-x");
  EXPECT_EQ(it.response_id, "chatcmpl-1");
  EXPECT_EQ(it.request_id, "req_1");
  EXPECT_EQ(it.finish_kind, FinishKind::tool_calls);
  EXPECT_EQ(it.service_tier, "default");
  EXPECT_EQ(it.latency, (ToldLatency{365'000, "openai-processing-ms"}));
  EXPECT_EQ(it.rate_limits.size(), 1U);
  EXPECT_EQ(it.error, std::nullopt);
  EXPECT_THAT(it.identifiers,
              Contains(NamedValue{"choices[].message.tool_calls[].id", "call_1", Found::body}));
}

TEST(AnExtraction, FindsTheSameInAStream) {
  const auto it = extracted(
      "data: {\"id\":\"\",\"model\":\"\",\"choices\":[]}\n\n"
      "data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
      "data: {\"id\":\"c1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
      "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
      "\"completion_tokens\":2}}\n\ndata: [DONE]\n\n");
  EXPECT_EQ(it.form, BodyForm::events);
  EXPECT_EQ(it.response_id, "c1");
  EXPECT_EQ(it.model, "m");
  EXPECT_EQ(it.finish, "stop");
  ASSERT_TRUE(it.usage);
  EXPECT_EQ(it.usage->usage.total, 5);
}

TEST(AnExtraction, LooksWhereItIsTold) {
  const std::vector<WantedValue> wanted = {{"tags[].name", *JsonPath::parse("tags[].name")}};
  const auto it =
      extract({200, {}, R"({"tags": [{"name": "a"}, {"name": "b"}]})"}, {wanted, {}, {}});
  EXPECT_EQ(it.wanted, (std::vector<NamedValue>{{"tags[].name", "a", Found::body},
                                                {"tags[].name", "b", Found::body}}));
}

TEST(AnExtraction, IsThereForAnyBytes) {
  for (const std::string& body :
       {std::string(), std::string("null"), std::string("[[[]]]"), std::string("7"),
        std::string("\0\0\0\0\0\0\0\0\0\0\0\0\0", 13), std::string("data: \xFF\xFE\n\n"),
        std::string(R"({"usage": [], "choices": 7, "error": [], "model": {"a": 1}})")}) {
    const auto it = extracted(body, {}, 0);
    EXPECT_EQ(it.usage, std::nullopt) << body;
    EXPECT_EQ(it.error, std::nullopt) << body;
  }
}

/// Answers that providers really gave.
class Recordings : public ::testing::Test {
 protected:
  static std::filesystem::path folder() {
    const char* source = std::getenv("PARLEY_SOURCE");
    return std::filesystem::path(source != nullptr ? source : ".") / "../shared/data/providers";
  }
  static Json read(const std::filesystem::path& path) {
    std::ifstream in(path);
    return Json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
  }
  void SetUp() override {
    if (!std::filesystem::exists(folder() / "index.json")) {
      GTEST_SKIP() << "the recordings are not there: " << folder();
    }
    index_ = read(folder() / "index.json");
  }
  static std::string body_of(const Json& recording) {
    for (const char* verbatim : {"sse", "body_text_verbatim", "body_text"}) {
      if (std::string text = text_at(recording, {verbatim}); !text.empty()) return text;
    }
    std::string bytes;
    if (absl::Base64Unescape(text_at(recording, {"eventstream_base64"}), &bytes) &&
        !bytes.empty()) {
      return bytes;
    }
    const Json* body = find(recording, {"body"});
    return body == nullptr ? "" : body->dump();
  }
  struct Case {
    std::string file;
    Json about;
    Json recording;
    Extraction found;
    [[nodiscard]] bool tagged(std::string_view tag) const {
      const Json& tags = about["tags"];
      return std::ranges::find(tags, tag) != tags.end();
    }
    [[nodiscard]] Usage usage() const { return found.usage ? found.usage->usage : Usage{}; }
  };
  [[nodiscard]] std::vector<Case> all() const {
    std::vector<Case> cases;
    for (const Json& about : index_) {
      Case each{text_at(about, {"file"}), about, {}, {}};
      each.recording = read(folder() / each.file);
      const std::string body = body_of(each.recording);
      ResponseHeaders headers;
      for (const auto& [name, value] : each.recording["headers"].items()) {
        headers[name] = scalar_text(value);
      }
      each.found =
          extracted(body, headers, static_cast<int>(count_at(about, {"status"}).value_or(0)));
      cases.push_back(std::move(each));
    }
    return cases;
  }

  Json index_;
};

TEST_F(Recordings, TellModelUsageCostAndErrors) {
  size_t count = 0;
  for (const Case& each : all()) {
    SCOPED_TRACE(each.file);
    ++count;
    EXPECT_EQ(each.found.problem, "");
    EXPECT_EQ(each.found.model, text_at(each.about, {"model"}));
    const Usage usage = each.usage();
    const bool generation = text_at(each.about, {"api"}) == "generation";  // is not tagged
    EXPECT_TRUE(generation || (usage.cached > 0) == each.tagged("cached"));
    EXPECT_EQ(usage.cache_write > 0, each.tagged("cachewrite"));
    EXPECT_TRUE(!each.tagged("reasoning") || usage.reasoning > 0);
    EXPECT_TRUE(!each.tagged("cost") || each.found.cost);
    const bool error = count_at(each.about, {"status"}).value_or(0) >= 400 || each.tagged("err");
    EXPECT_EQ(each.found.error.has_value(), error);
    EXPECT_TRUE(!each.found.error || !each.found.error->message.empty());
  }
  EXPECT_GE(count, 234U);
}

/// However they count: the prompt and the completion are the total, and have their parts in them.
TEST_F(Recordings, AddUp) {
  for (const Case& each : all()) {
    SCOPED_TRACE(each.file);
    const Usage usage = each.usage();
    EXPECT_EQ(usage.prompt + usage.completion, usage.total);
    EXPECT_LE(usage.reasoning, usage.completion);
    // Grok by way of Azure says that more was cached than was sent.
    const bool odd =
        text_at(each.about, {"provider"}) == "azure-openai" && each.found.model.starts_with("grok");
    EXPECT_TRUE(odd || usage.cached + usage.cache_write <= usage.prompt);
  }
}

TEST_F(Recordings, AreRecognisedOrLeftOpenButNeverTakenForAnothers) {
  size_t recognised = 0;
  for (const Case& each : all()) {
    SCOPED_TRACE(each.file);
    if (each.found.provider.empty()) continue;
    ++recognised;
    EXPECT_EQ(each.found.provider, text_at(each.about, {"provider"}));
  }
  EXPECT_GE(recognised, 200U);
}

TEST_F(Recordings, HaveAllIdentifiersThatTheCatalogueKnows) {
  for (const Case& each : all()) {
    SCOPED_TRACE(each.file);
    const auto* provider = ProviderCatalogue::built_in().find(text_at(each.about, {"provider"}));
    ASSERT_NE(provider, nullptr);
    std::set<std::string> values;
    for (const auto& found : each.found.identifiers) values.insert(found.value);
    const auto api = std::ranges::find_if(provider->apis(), [&](const v1::ProviderApi& one) {
      return one.api() == text_at(each.about, {"api"});
    });
    ASSERT_NE(api, provider->apis().end());
    for (const Json& document : read_documents(body_of(each.recording)).documents) {
      for (const auto& place : api->identifiers()) {
        JsonPath::parse(place.path())->each(document, [&](const Json& value) {
          const std::string text = scalar_text(value);
          if (text.empty()) return;
          EXPECT_TRUE(values.contains(text)) << place.path() << " = " << text;
        });
      }
    }
  }
}

TEST_F(Recordings, OfAnswersSayWhyTheyEnded) {
  for (const Case& each : all()) {
    const std::string api = text_at(each.about, {"api"});
    const bool answer = !each.found.error && api != "assistants" && api != "conversations" &&
                        api != "responses.compact";
    if (!answer || each.found.finish.empty()) continue;
    EXPECT_NE(each.found.finish_kind, FinishKind::unknown) << each.file << each.found.finish;
    if (each.tagged("tools") && each.found.finish_kind == FinishKind::tool_calls) {
      EXPECT_FALSE(each.found.identifiers.empty()) << each.file;
    }
  }
}

}  // namespace
}  // namespace parley
