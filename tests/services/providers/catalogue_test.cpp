#include "services/providers/catalogue.hpp"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley {
namespace {

using testing::HasSubstr;

TEST(TheCatalogue, KnowsEveryProviderByAllOfItsNames) {
  const auto& catalogue = ProviderCatalogue::built_in();
  EXPECT_GE(catalogue.providers().size(), 21U);
  for (const auto& [name, provider] : catalogue.providers()) {
    EXPECT_EQ(catalogue.find(name), &provider);
    for (const std::string& alias : provider.aliases()) EXPECT_EQ(catalogue.find(alias), &provider);
  }
  EXPECT_EQ(catalogue.find("ANTHROPIC"), catalogue.find("anthropic"));
  EXPECT_EQ(catalogue.find("nobody"), nullptr);
  EXPECT_EQ(catalogue.find(""), nullptr);
}

TEST(TheCatalogue, SaysOfEachApiHowToContinueAndWhy) {
  for (const auto& [name, provider] : ProviderCatalogue::built_in().providers()) {
    EXPECT_FALSE(provider.apis().empty()) << name;
    for (const auto& api : provider.apis()) {
      const std::string what = name + "." + api.api();
      EXPECT_NE(api.strategy(), v1::ProviderApi::STRATEGY_UNSPECIFIED) << what;
      EXPECT_NE(api.fork(), v1::ProviderApi::FORK_UNSPECIFIED) << what;
      EXPECT_NE(api.reason(), "") << what;
      EXPECT_EQ(api.stateful(), !api.continue_with().empty()) << what;
      const bool keeps = api.strategy() == v1::ProviderApi::STRATEGY_PROVIDER_STATE;
      EXPECT_TRUE(!keeps || api.stateful()) << what;
    }
  }
}

/// The allow-list of what continues by an id: as an interaction id needs.
TEST(TheCatalogue, KnowsWhatContinuesByAnId) {
  std::set<std::string> stateful;
  for (const auto& [name, provider] : ProviderCatalogue::built_in().providers()) {
    for (const auto& api : provider.apis()) {
      if (api.stateful()) stateful.insert(name + "." + api.api());
    }
  }
  for (const char* api : {"openai.responses", "gemini.interactions", "mistral.conversations",
                          "xai.responses", "bedrock.agents", "anthropic.sessions"}) {
    EXPECT_TRUE(stateful.contains(api)) << api;
  }
  for (const char* api :
       {"openai.chat.completions", "anthropic.messages", "gemini.generateContent",
        "vertexai.generateContent", "mistral.chat.completions", "groq.responses",
        "deepseek.responses", "openrouter.responses", "cohere.chat.v2", "bedrock.converse"}) {
    EXPECT_FALSE(stateful.contains(api)) << api;
  }
}

TEST(ACatalogue, IsRefusedWithTheFilesNameAndWhy) {
  const auto refused = [](const char* text, const char* second = "{\"provider\": \"b\"}") {
    const auto parsed = ProviderCatalogue::parse({{"a.json", text}, {"b.json", second}});
    return std::string(parsed.status().message());
  };
  EXPECT_EQ(refused(R"({"provider": "a"})"), "");
  EXPECT_THAT(refused("{"), HasSubstr("a.json"));
  EXPECT_THAT(refused(R"({"provider": "a", "colour": "red"})"), HasSubstr("colour"));
  EXPECT_THAT(refused("{}"), HasSubstr("needs a name"));
  EXPECT_THAT(refused(R"({"provider": "a", "aliases": ["B"]})"), HasSubstr("is called"));
  EXPECT_THAT(refused(R"({"provider": "a", "apis": [{"api": "x"}, {"api": "x"}]})"),
              HasSubstr("two APIs called x"));
  EXPECT_THAT(refused(R"({"provider": "a", "apis": [{"identifiers": [{"path": "a..b"}]}]})"),
              HasSubstr("a..b"));
  EXPECT_THAT(refused(R"({"provider": "a", "recognised_by": {"body_paths": ["[x]"]}})"),
              HasSubstr("[x]"));
}

}  // namespace
}  // namespace parley
