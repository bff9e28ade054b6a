#include "services/jsonl.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "base/ids.hpp"
#include "services/import_pieces.hpp"
#include "tests/services/checked.hpp"

namespace parley {
namespace {

const Limits k_limits;

std::string written(const ImportedConversation& imported) {
  JsonlLine line(imported.header);
  for (const v1::Message& message : imported.messages) line.add(message);
  return line.finish();
}

/// Reads a line, writes it again, and gives what was read.
ImportedConversation round_trip(const std::string& line) {
  auto imported = value_of(parse_jsonl(line, k_limits));
  EXPECT_EQ(written(imported), line);
  return imported;
}

std::filesystem::path data_directory() {
  const char* source = std::getenv("PARLEY_SOURCE");
  const std::filesystem::path root =
      source == nullptr ? std::filesystem::path(__FILE__).parent_path() / "../.." : source;
  return root / "../shared/data/conversations";
}

TEST(Jsonl, WritesEveryLineOfTheDataAsItWasRead) {
  if (!std::filesystem::is_directory(data_directory())) {
    GTEST_SKIP() << "no data sets in " << data_directory();
  }
  size_t lines = 0;
  size_t messages = 0;
  size_t kept = 0;
  std::set<std::string> threads;
  for (const auto& entry : std::filesystem::directory_iterator(data_directory())) {
    if (entry.path().extension() != ".jsonl") continue;
    std::ifstream file(entry.path());
    std::string line;
    while (std::getline(file, line)) {
      auto imported = value_of(parse_jsonl(line, k_limits));
      ++lines;
      messages += imported.messages.size();
      for (const v1::Message& message : imported.messages) kept += !message.source_json().empty();
      EXPECT_TRUE(check_id("thread_id", imported.header.thread_id()).ok());
      EXPECT_TRUE(check_id("user_id", imported.header.user_id()).ok());
      EXPECT_TRUE(threads.insert(imported.header.thread_id()).second);
      ASSERT_EQ(written(imported), line) << entry.path() << ": line " << lines;
      ASSERT_FALSE(value_of(import_pieces(std::move(imported), k_limits)).empty());
    }
  }
  EXPECT_EQ(lines, 14'805U);
  EXPECT_EQ(messages, 206'598U);
  // Only those whose members stand in an order of their own.
  EXPECT_EQ(kept, 1'290U + 1'074U + 90U);
}

TEST(Jsonl, UnderstandsTheKnownMembers) {
  const auto imported = round_trip(
      R"({"thread_id":"a/1","user_id":"u=1","source":"s","lang":"en","messages":[)"
      R"({"role":"user","name":"bob","content":"hi","ts":"06:18"},)"
      R"({"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",)"
      R"("function":{"name":"f","arguments":"{\"a\": 1}"}}]},)"
      R"({"role":"tool","tool_call_id":"c1","name":"f","content":""}],"meta":{"x":[1, 2]}})");
  EXPECT_EQ(imported.header.thread_id(), "s:a=2F1");
  EXPECT_EQ(imported.header.user_id(), "u=3D1");
  EXPECT_EQ(imported.header.source_json(),
            R"({"thread_id":"a/1","user_id":"u=1","source":"s","lang":"en","messages":[],)"
            R"("meta":{"x":[1, 2]}})");
  ASSERT_EQ(imported.messages.size(), 3U);
  EXPECT_EQ(imported.messages[0].name(), "bob");
  EXPECT_EQ(imported.messages[0].source_time(), "06:18");
  EXPECT_FALSE(imported.messages[1].has_content());
  const auto& call = imported.messages[1].parts(0).tool_call();
  EXPECT_EQ(call.tool_call_id(), "c1");
  EXPECT_EQ(call.name(), "f");
  EXPECT_EQ(call.arguments(), R"({"a": 1})");
  EXPECT_EQ(imported.messages[2].role(), v1::ROLE_TOOL);
  EXPECT_TRUE(imported.messages[2].has_content());
  EXPECT_EQ(imported.messages[2].parts(0).tool_result().tool_call_id(), "c1");
  EXPECT_FALSE(imported.messages[2].parts(0).tool_result().has_content());
  for (const auto& message : imported.messages) EXPECT_TRUE(message.source_json().empty());
}

TEST(Jsonl, KeepsWhatItDoesNotUnderstand) {
  const char* odd[] = {
      R"({"content":"x","role":"user"})",
      R"({"role":"user","content":"x","extra":{"deep":[1e5,"\u00e4"]}})",
      R"({"role":"user"})",
      R"({"role":"developer","content":"x"})",
      R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url"},7]})",
      R"({"role":"user","content":7})",
      R"({"role":"user","content":"\u0061"})",
      R"({"role":"user","content":"a\/b"})",
      R"({"role":"user","content":"x","ts":1234})",
      R"({"role":"user","name":5,"content":"x"})",
      R"({"role":"user","name":"","content":"x"})",
      R"({ "role":"user", "content":"x" })",
      R"({"role":"user","content":"x","content":"y"})",
      R"({"role":"assistant","content":null,"tool_calls":[]})",
      R"({"role":"assistant","content":null,"tool_calls":[{"id":"c","function":{"name":"f","arguments":{"a":1}}}]})",
      R"({"role":"assistant","content":null,"tool_calls":[null,{},{"id":"","function":{}}]})",
      R"({"role":"assistant","content":null,"tool_calls":"none"})",
      R"({"role":"tool","tool_call_id":7,"content":"x"})",
  };
  for (const char* message : odd) {
    const auto imported =
        round_trip(R"({"thread_id":"t","source":"s","messages":[)" + std::string(message) + "]}");
    ASSERT_EQ(imported.messages.size(), 1U);
    EXPECT_EQ(imported.messages[0].source_json(), message);
    EXPECT_TRUE(std::holds_alternative<std::vector<ImportPiece>>(import_pieces(imported, k_limits)))
        << message;
  }
}

TEST(Jsonl, KeepsTheLineAroundTheMessages) {
  round_trip(R"({ "messages" : [] , "thread_id":"t" })");
  round_trip(
      R"({"x":"\"messages\":[","messages":[{"role":"user","content":"]"}],"thread_id":"t"})");
  round_trip(R"({"thread_id":"t","meta":{"messages":[1]},"messages":[]})");
  round_trip(R"({"thread_id":"t","user_id":null,"source":null,"messages":[]})");
  const auto imported =
      value_of(parse_jsonl("{\"thread_id\":\"t\",\"messages\":[]}\r\n", k_limits));
  EXPECT_EQ(imported.header.source_json(), R"({"thread_id":"t","messages":[]})");
  EXPECT_EQ(imported.header.thread_id(), "t");
}

TEST(Jsonl, SaysWhatIsWrongAndWhere) {
  const std::pair<const char*, const char*> bad[] = {
      {"", "jsonl"},
      {"[]", "jsonl"},
      {"{", "jsonl"},
      {"{\"thread_id\":\"t\",\n\"messages\":[]}", "jsonl"},
      {"{\"thread_id\":\"\xff\",\"messages\":[]}", "jsonl"},
      {R"({"thread_id":"t","messages":[]}{})", "jsonl"},
      {R"({"messages":[]})", "thread_id"},
      {R"({"thread_id":"","messages":[]})", "thread_id"},
      {R"({"thread_id":7,"messages":[]})", "thread_id"},
      {R"({"thread_id":"t","user_id":[],"messages":[]})", "user_id"},
      {R"({"thread_id":"t","source":1,"messages":[]})", "source"},
      {R"({"thread_id":"t"})", "messages"},
      {R"({"thread_id":"t","messages":{}})", "messages"},
      {R"({"thread_id":"t","messages":[],"messages":[]})", "messages"},
      {R"({"thread_id":"t","\u006dessages":[]})", "messages"},
      {R"({"thread_id":"t","messages":[{"role":"user"},7]})", "messages[1]"},
      {R"({"thread_id":"t","messages":[{"content":"x"}]})", "messages[0]"},
      {R"({"thread_id":"t","messages":[{"role":"wizard"}]})", "messages[0]"},
  };
  for (const auto& [line, field] : bad) {
    const ApiError error = error_in(parse_jsonl(line, k_limits));
    EXPECT_EQ(error.reason, "IMPORT_LINE_INVALID") << line;
    EXPECT_TRUE(names_field(error, field)) << line << ": " << error.message;
    EXPECT_EQ(error.message.find(field), 0U);
  }
  const std::string secret(5'000, 's');
  EXPECT_LT(
      error_in(parse_jsonl("{\"thread_id\":\"t\",\"messages\":[{\"role\":\"" + secret + "\"}]}",
                           k_limits))
          .message.size(),
      400U);
  EXPECT_TRUE(names_field(error_in(parse_jsonl(std::string(4'000'000, '['), k_limits)), "jsonl"));
}

TEST(Jsonl, MakesValidIdsOfAnyText) {
  EXPECT_EQ(escaped_id("ubuntu:ubuntu/2014-01-08.train-c/1000"),
            "ubuntu:ubuntu=2F2014-01-08.train-c=2F1000");
  EXPECT_EQ(escaped_id("a=b ä"), "a=3Db=20=C3=A4");
  EXPECT_EQ(escaped_id(":x"), "x=:x");
  EXPECT_EQ(escaped_id("/x"), "x==2Fx");
  std::set<std::string> ids;
  std::set<std::string> texts;
  std::mt19937 random(9);
  constexpr std::string_view k_alphabet = "x=:/25F\n";
  for (int i = 0; i < 50'000; ++i) {
    std::string text(1 + random() % (i % 10 == 0 ? 300 : 6), 0);
    for (char& c : text) c = k_alphabet[random() % k_alphabet.size()];
    const std::string id = escaped_id(text);
    ASSERT_TRUE(check_id("id", id).ok()) << id;
    ASSERT_EQ(texts.insert(text).second, ids.insert(id).second) << text;
  }
  EXPECT_EQ(escaped_id(std::string(128, 'a')), std::string(128, 'a'));
  const std::string cut = escaped_id(std::string(129, 'a'));
  EXPECT_EQ(cut.size(), 128U);
  EXPECT_EQ(cut.substr(0, 112), std::string(111, 'a') + "=");
}

TEST(Jsonl, WritesConversationsThatWereNeverALine) {
  v1::Conversation header;
  header.set_thread_id("t");
  header.set_user_id("u");
  v1::Message parts;
  parts.set_role(v1::ROLE_ASSISTANT);
  parts.add_parts()->mutable_text()->set_text("a\n");
  parts.add_parts()->mutable_text()->set_text("b");
  v1::Message result;
  result.set_role(v1::ROLE_TOOL);
  result.add_parts()->mutable_tool_result()->set_tool_call_id("c");
  result.mutable_parts(0)->mutable_tool_result()->set_content("r");
  JsonlLine line(header);
  line.add(parts);
  line.add(result);
  const std::string text = line.finish();
  EXPECT_EQ(text, R"({"thread_id":"t","user_id":"u","source":"parley","messages":[)"
                  R"({"role":"assistant","content":"a\nb"},)"
                  R"({"role":"tool","tool_call_id":"c","content":"r"}]})");
  round_trip(text);
}

TEST(Jsonl, NeverFallsOverMutatedLines) {
  const std::string good =
      R"({"thread_id":"a","user_id":"u","source":"s","messages":[{"role":"user","content":"hi"},)"
      R"({"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function",)"
      R"("function":{"name":"f","arguments":"{}"}}]}],"meta":{"x":1}})";
  std::mt19937 random(13);
  constexpr std::string_view k_alphabet = "{}[]\",:\\ 1anu\xc3\xa4";
  size_t accepted = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string mutant = good;
    for (auto n = 1 + random() % 3; n > 0; --n) {
      const size_t at = random() % mutant.size();
      const char c = k_alphabet[random() % k_alphabet.size()];
      switch (random() % 3) {
        case 0:
          mutant[at] = c;
          break;
        case 1:
          mutant.erase(at, 1);
          break;
        default:
          mutant.insert(at, 1, c);
      }
    }
    auto checked = parse_jsonl(mutant, k_limits);
    auto* imported = std::get_if<ImportedConversation>(&checked);
    if (imported == nullptr) continue;
    ++accepted;
    const std::string again = written(*imported);
    const auto second = value_of(parse_jsonl(again, k_limits));
    ASSERT_EQ(written(second), again) << mutant;
  }
  EXPECT_GT(accepted, 1'000U);
}

}  // namespace
}  // namespace parley
