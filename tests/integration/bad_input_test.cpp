#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/import_records.hpp"
#include "tests/integration/one_server.hpp"

namespace parley::test {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::StartsWith;

#ifdef PARLEY_SANITIZED
constexpr int k_cancelled_calls = 100;
constexpr int64_t k_resident_max = 900LL << 20;  ///< the sanitizer keeps 256 MiB of freed memory
#else
constexpr int k_cancelled_calls = 1000;
constexpr int64_t k_resident_max = 600LL << 20;
#endif
const std::string k_service = "/parley.v1.ConversationService/";

/// Every test has a conversation that nothing of all this may change.
class BadInput : public OneServer {
 protected:
  void SetUp() override {
    thread_ = made({"untouched"}, "owner");
    before_ = must_get(client(), thread_, 10).SerializeAsString();
  }
  void TearDown() override {
    EXPECT_EQ(must_get(client(), thread_, 10).SerializeAsString(), before_)
        << "something was changed";
  }

  /// The server's own refusals: INVALID_ARGUMENT that names the field.
  template <class Request>
  void expect_bad_field(const Request& request, const std::string& field) {
    const CallStatus status = refused(request);
    EXPECT_EQ(status.code, Code::invalid_argument) << field << ": " << status;
    EXPECT_TRUE(status.has_error_info) << field;
    EXPECT_EQ(status.domain, "parley");
    EXPECT_EQ(status.reason, "INVALID_FIELD") << field << ": " << status;
    EXPECT_THAT(status.fields, Contains(StartsWith(field))) << status;
    EXPECT_FALSE(status.message.empty());
  }
  pb::AppendMessagesRequest one_message() { return append(thread_, {"x"}); }
  void expect_bad_message(const std::string& field,
                          const std::function<void(pb::Message&)>& spoil) {
    auto request = one_message();
    spoil(*request.mutable_messages(0));
    expect_bad_field(request, "messages[0]" + field);
  }

  std::string thread_;
  std::string before_;
};

/// Nasty ids that are valid UTF-8, so that they reach our own checks.
std::vector<std::string> nasty_ids() {
  return {"",
          " ",
          ".",
          "..",
          "../../etc/passwd",
          "a/b",
          "a\\b",
          "a b",
          " a",
          "a ",
          "-a",
          "_a",
          "=a",
          "@a",
          "~",
          "a\n",
          "a\r\nb",
          "a\tb",
          std::string("a\0b", 3),
          std::string("\0", 1),
          "a\x1B[31mred",
          "a\x7F",
          "\xE2\x80\xAE"
          "abc",
          "a\xCC\x81",
          "\xC3\xA9",
          "\xF0\x9F\x98\x80",
          "a\xE2\x80\x8B"
          "b",
          "\xEF\xBB\xBF"
          "a",
          "a%2Fb",
          "a'b",
          "a\"b",
          "a;b",
          "a|b",
          "a*b",
          "a?b",
          "a<b>",
          "a{b}",
          "a#b",
          "a$b",
          "a!b",
          "a&b",
          "$(reboot)",
          "`id`",
          "%s%n",
          std::string(129, 'a'),
          std::string(100'000, 'a')};
}

std::vector<std::string> fine_ids() {
  return {"a",
          "0",
          "A",
          "a.b",
          "a..b",
          "a_b",
          "a~b",
          "a:b",
          "a@b",
          "a+b",
          "a=b",
          "a,b",
          "a-b",
          "a--",
          "con",
          "NUL.txt",
          "ada@example.org",
          "urn:uuid:1234",
          std::string(128, 'z')};
}

TEST_F(BadInput, RefusesNastyIdsEverywhere) {
  for (const std::string& id : nasty_ids()) {
    SCOPED_TRACE(testing::PrintToString(id.substr(0, 40)));
    expect_bad_field(get(id), "thread_id");
    expect_bad_field(append(id, {"x"}), "thread_id");
    expect_bad_field(erase(id), "thread_id");
    expect_bad_field(list(id), "thread_id");
    expect_bad_field(usage(id, 1, 1), "thread_id");
    if (id.empty()) continue;  // Empty means "make one" or "any" below.
    expect_bad_field(create(id), "thread_id");
    expect_bad_field(create("", id), "user_id");
    expect_bad_field(fork(thread_, id), "new_thread_id");
    pb::ListConversationsRequest listing;
    listing.set_user_id(id);
    expect_bad_field(listing, "user_id");
  }
}

TEST_F(BadInput, RefusesNastyTenants) {
  for (const std::string tenant : {"a b", "../x", "a/b", "-", "a|b"}) {
    const CallStatus status = client().call(get(thread_), {.tenant = tenant}).status;
    EXPECT_THAT(status.fields, ElementsAre("parley-tenant"));
    EXPECT_EQ(status.message.rfind("parley-tenant"), 0U) << "named twice: " << status;
    EXPECT_EQ(status.code, Code::invalid_argument) << tenant << ": " << status;
    EXPECT_EQ(status.domain, "parley");
  }
}

TEST_F(BadInput, TakesEveryFineId) {
  for (const std::string& id : fine_ids()) {
    must(create(id));
    must(append(id, {id}));
    EXPECT_THAT(texts_of(id), ElementsAre(id));
  }
  restart();
  for (const std::string& id : fine_ids()) EXPECT_THAT(texts_of(id), ElementsAre(id));
}

TEST_F(BadInput, RefusesMessagesThatMakeNoSense) {
  const auto bad = [&](const std::string& field, const std::function<void(pb::Message&)>& spoil) {
    expect_bad_message(field, spoil);
  };
  bad(".role", [](auto& m) { m.set_role(pb::ROLE_UNSPECIFIED); });
  bad(".role", [](auto& m) { m.set_role(static_cast<pb::Role>(77)); });
  bad(".role", [](auto& m) { m.set_role(static_cast<pb::Role>(-1)); });
  bad(".sequence", [](auto& m) { m.set_sequence(1); });
  bad(".version", [](auto& m) { m.set_version(5); });
  bad(".create_time", [](auto& m) { m.mutable_create_time()->set_seconds(1); });
  bad(".source_json", [](auto& m) { m.set_source_json("{}"); });
  bad(".message_id", [](auto& m) { m.set_message_id("no spaces"); });
  bad(".name", [](auto& m) { m.set_name(std::string(257, 'n')); });
  bad(".model", [](auto& m) { m.set_model(std::string(129, 'n')); });
  bad(".api_calls", [](auto& m) { m.set_api_calls(-1); });
  bad(".processing_time", [](auto& m) { m.mutable_processing_time()->set_seconds(-1); });
  bad(".usage", [](auto& m) { m.mutable_usage()->set_prompt_tokens(-1); });
  bad(".cost", [](auto& m) { m.mutable_cost()->set_currency_code("dollars"); });
  bad(".cost", [](auto& m) {
    m.mutable_cost()->set_currency_code("USD");
    m.mutable_cost()->set_units(1);
    m.mutable_cost()->set_nanos(-1);
  });
  bad(".parts[0]", [](auto& m) { m.add_parts(); });
  bad(".parts[0].tool_call", [](auto& m) { m.add_parts()->mutable_tool_call()->set_name("n"); });
  bad(".parts", [](auto& m) {
    for (int i = 0; i < 257; ++i) m.add_parts()->mutable_text()->set_text("x");
  });
  bad("", [](auto& m) { m.set_content(std::string((1 << 20) + 1, 'x')); });
}

TEST_F(BadInput, RefusesAppendsOfWrongSize) {
  expect_bad_field(append(thread_, {}), "messages");
  expect_bad_field(append(thread_, std::vector<std::string>(257, "x")), "messages");
  auto mixed = append(thread_, {"good", "good", "bad"});
  mixed.mutable_messages(2)->set_role(pb::ROLE_UNSPECIFIED);
  expect_bad_field(mixed, "messages[2].role");
}

TEST_F(BadInput, RefusesNumbersOutOfRange) {
  expect_bad_field(get(thread_, -1), "message_limit");
  expect_bad_field(get(thread_, 1001), "message_limit");
  expect_bad_field(list(thread_, -1), "page_size");
  auto past = get(thread_);
  past.set_as_of_version(0);
  expect_bad_field(past, "as_of_version");
  auto request = list(thread_);
  request.set_order(static_cast<pb::MessageOrder>(9));
  expect_bad_field(request, "order");
  request = list(thread_);
  request.mutable_filter()->set_from_sequence(-1);
  expect_bad_field(request, "filter.from_sequence");
  request = list(thread_);
  request.mutable_filter()->add_roles(static_cast<pb::Role>(9));
  expect_bad_field(request, "filter.roles");
  pb::ListConversationsRequest listing;
  listing.set_page_size(-1);
  expect_bad_field(listing, "page_size");
  listing.set_page_size(1);
  listing.set_state(static_cast<pb::ConversationState>(9));
  expect_bad_field(listing, "state");
  pb::BatchGetConversationsRequest batch;
  expect_bad_field(batch, "thread_ids");
  for (int i = 0; i < 101; ++i) batch.add_thread_ids("t" + std::to_string(i));
  expect_bad_field(batch, "thread_ids");
  auto negative = one_message();
  negative.set_expected_version(-1);
  expect_bad_field(negative, "expected_version");
  auto forked = fork(thread_, "");
  forked.set_at_sequence(-1);
  expect_bad_field(forked, "at_sequence");
}

TEST_F(BadInput, RefusesUpdatesThatNameNothingOrTheWrongThing) {
  pb::UpdateConversationRequest update;
  update.set_thread_id(thread_);
  expect_bad_field(update, "update_mask");
  update.mutable_conversation()->set_title("t");
  for (const std::string path :
       {"version", "thread_id", "messages", "nothing", "", "title.x", "*"}) {
    update.mutable_update_mask()->clear_paths();
    update.mutable_update_mask()->add_paths(path);
    expect_bad_field(update, "update_mask");
  }
  update.mutable_update_mask()->clear_paths();
  update.mutable_update_mask()->add_paths("title");
  update.mutable_conversation()->set_title(std::string(1025, 't'));
  expect_bad_field(update, "conversation.title");
  update.mutable_update_mask()->add_paths("state");
  update.mutable_conversation()->set_state(static_cast<pb::ConversationState>(9));
  expect_bad_field(update, "conversation.state");
}

TEST_F(BadInput, RefusesWrongRequestIds) {
  for (const std::string id :
       {"x", "00000000-0000-0000-0000-000000000000", "123", "zzzzzzzz-zzzz-4zzz-8zzz-zzzzzzzzzzzz",
        "12345678-1234-4234-8234-1234567890123"}) {
    auto request = one_message();
    request.set_request_id(id);
    expect_bad_field(request, "request_id");
  }
}

TEST_F(BadInput, RefusesMetadataAndLabelsOutOfBounds) {
  auto request = create(new_thread_id("m"));
  auto* field = &(*request.mutable_metadata()->mutable_fields())["deep"];
  // One deeper than may be; much deeper ones cannot be decoded.
  for (int i = 0; i < 32; ++i) field = &(*field->mutable_struct_value()->mutable_fields())["deep"];
  field->set_string_value("x");
  expect_bad_field(request, "metadata");
  request.clear_metadata();
  (*request.mutable_metadata()->mutable_fields())["big"].set_string_value(std::string(70'000, 'x'));
  expect_bad_field(request, "metadata");
  request.clear_metadata();
  for (int i = 0; i < 65; ++i) (*request.mutable_labels())["l" + std::to_string(i)] = "x";
  expect_bad_field(request, "labels");
  request.clear_labels();
  (*request.mutable_labels())[std::string(65, 'k')] = "x";
  expect_bad_field(request, "labels");
  request.clear_labels();
  (*request.mutable_labels())["k"] = std::string(129, 'v');
  expect_bad_field(request, "labels");
}

TEST_F(BadInput, ReportsAllThatIsWrongAtOnce) {
  auto request = append("bad id", {"x", "y"});
  request.mutable_messages(0)->set_role(pb::ROLE_UNSPECIFIED);
  request.mutable_messages(1)->set_sequence(3);
  EXPECT_THAT(refused(request).fields,
              testing::IsSupersetOf({"thread_id", "messages[0].role", "messages[1].sequence"}));
}

/// A length-delimited field of the wire format.
std::string field(int number, const std::string& bytes) {
  std::string made(1, static_cast<char>(number << 3 | 2));
  for (size_t left = bytes.size(); true; left >>= 7) {
    made.push_back(static_cast<char>(left < 128 ? left : (left & 127) | 128));
    if (left < 128) break;
  }
  return made + bytes;
}

TEST_F(BadInput, RefusesWhatCannotBeDecoded) {
  const std::string role = std::string("\x18\x01", 2);
  const std::vector<std::string> requests = {
      std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 11), "rubbish",
      field(1, thread_).substr(0, 3), field(1, thread_) + field(2, std::string(200, '\x0B'))};
  for (const std::string& request : requests) {
    SCOPED_TRACE(testing::PrintToString(request.substr(0, 60)));
    const CallStatus status = client().call_raw(k_service + "AppendMessages", request);
    EXPECT_EQ(status.code, Code::invalid_argument) << status;
    EXPECT_EQ(status.reason, "INVALID_REQUEST") << status;
    EXPECT_EQ(status.domain, "parley");
  }
}

TEST_F(BadInput, NamesTheFieldThatIsNotUtf8) {
  const std::string role = std::string("\x18\x01", 2);
  const std::string fine = field(2, role + field(4, "fine"));
  const std::vector<std::pair<std::string, std::string>> requests = {
      {field(1, "ab\xFF\xFE"), "thread_id"},
      {field(1, thread_) + field(2, role + field(4, "\xC3\x28 overlong \xC0\x80")),
       "messages[0].content"},
      {field(1, thread_) + fine + field(2, role + field(4, "surrogate \xED\xA0\x80")),
       "messages[1].content"},
      {field(1, thread_) + field(2, role + field(4, "cut \xF0\x9F\x98")), "messages[0].content"}};
  for (const auto& [request, name] : requests) {
    const CallStatus status = client().call_raw(k_service + "AppendMessages", request);
    EXPECT_EQ(status.code, Code::invalid_argument) << status;
    EXPECT_EQ(status.reason, "INVALID_FIELD") << status;
    EXPECT_THAT(status.fields, ElementsAre(name)) << status;
    EXPECT_THAT(status.message, StartsWith(name + ": byte ")) << status;
  }
  pb::CreateConversationRequest titled;
  titled.set_title("fine until \xFF");
  EXPECT_THAT(refused(titled).message, StartsWith("title: byte 11 "));
}

TEST_F(BadInput, RefusesALineOfAnImportByItself) {
  const std::string thread = new_thread_id("line");
  const auto answers = imported(client(), {line_of(thread + "-1", "x"), line_of(thread, "\xFF"),
                                           line_of(thread + "-2", "x")});
  ASSERT_THAT(results_of(answers), ElementsAre(pb::IMPORT_RESULT_CREATED, pb::IMPORT_RESULT_REFUSED,
                                               pb::IMPORT_RESULT_CREATED));
  EXPECT_THAT(answers[1].error(), StartsWith("record.jsonl: byte "));
  EXPECT_EQ(answers[1].error_reason(), "INVALID_FIELD");
  EXPECT_EQ(answers[2].thread_id(), thread + "-2");
}

TEST_F(BadInput, RefusesOnlyTheConversationOfAnImportThatIsNotUtf8) {
  const std::string thread = new_thread_id("full");
  const auto answers = imported(
      client(), {header_of(thread + "-1"), batch_of(1, "x"), header_of(thread), batch_of(1, "x"),
                 batch_of(2, "\xFF"), batch_of(3, "x"), header_of("\xFF"), batch_of(1, "x"),
                 header_of(thread + "-2"), batch_of(1, "x")});
  ASSERT_THAT(results_of(answers),
              ElementsAre(pb::IMPORT_RESULT_CREATED, pb::IMPORT_RESULT_REFUSED,
                          pb::IMPORT_RESULT_REFUSED, pb::IMPORT_RESULT_CREATED));
  EXPECT_EQ(answers[1].thread_id(), thread);
  EXPECT_THAT(answers[1].error(), StartsWith("record.messages.messages[0].content: "));
  EXPECT_THAT(answers[2].error(), StartsWith("record.header.thread_id: "));
  EXPECT_EQ(client().call(get(thread)).status.code, Code::not_found) << "half of it was imported";
  EXPECT_THAT(texts_of(thread + "-2"), ElementsAre("x"));
}

TEST(ServerLog, HoldsLinesOfJsonOnlyWhateverComes) {
  const TempDir dir;
  const auto server = start_server({.data_dir = dir / "data", .flags = {"--log-level", "debug"}});
  Client client(server->address());
  EXPECT_FALSE(client.call_raw(k_service + "AppendMessages", field(1, "\xFF\n\xFE")).ok());
  ServerProcess second({.data_dir = dir / "other", .flags = {"--listen", server->address()}});
  ASSERT_TRUE(second.wait(std::chrono::seconds(20)));
  EXPECT_THAT(second.output(), testing::HasSubstr("cannot listen on " + server->address()));
  EXPECT_THAT(second.output(), testing::Not(testing::HasSubstr(".cc:")));
  EXPECT_EQ(server->stop(), Ending{.exit_code = 0});
  std::istringstream lines(server->output());
  for (std::string line; std::getline(lines, line);) {
    EXPECT_THAT(line, testing::MatchesRegex(R"(\{"ts":.*\})"));
  }
}

TEST(BadCommandLine, IsRefusedNamingTheFlag) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "foreign");
  std::ofstream(dir / "foreign" / "thesis.tex") << "";
  std::ofstream(dir / "typo.toml") << "nosuchkey=1\n";
  struct Start {
    std::string data;
    std::vector<std::string> flags;
    std::string says;
  };
  // tests/services/config_test.cpp has many more.
  const std::vector<Start> wrong = {
      {"data", {"--listen", "127.0.0.1:99999"}, "--listen 127.0.0.1:99999: the port"},
      {"data", {"--dedup-seconds", "-1"}, "--dedup-seconds"},
      {"data", {"--config", (dir / "typo.toml").string()}, "nosuchkey"},
      {"data", {"--backup-dir", "/proc/none"}, "--backup-dir /proc/none"},
      {"foreign", {}, "thesis.tex"},
  };
  for (const Start& start : wrong) {
    ServerProcess server({.data_dir = dir / start.data, .flags = start.flags});
    const auto ending = server.wait(std::chrono::seconds(20));
    ASSERT_TRUE(ending) << start.says << " was taken:\n" << server.output();
    EXPECT_EQ(*ending, Ending{.exit_code = 2}) << start.says << ":\n" << server.output();
    EXPECT_THAT(server.output(), testing::HasSubstr(start.says));
  }
}

TEST_F(BadInput, IgnoresUnknownFields) {
  std::string response;
  const CallStatus status = client().call_raw(k_service + "GetConversation",
                                              field(1, thread_) + field(14, "future"), &response);
  EXPECT_TRUE(status.ok()) << status;
  pb::GetConversationResponse answer;
  EXPECT_TRUE(answer.ParseFromString(response));
  EXPECT_EQ(answer.conversation().thread_id(), thread_);
}

TEST_F(BadInput, TakesTheLastOfRepeatedSingularFields) {
  EXPECT_TRUE(
      client().call_raw(k_service + "GetConversation", field(1, "other") + field(1, thread_)).ok());
}

TEST_F(BadInput, RefusesTooMuchAtOnce) {
  auto request = append(thread_, {});
  for (int i = 0; i < 10; ++i) {
    pb::Message* message = request.add_messages();
    message->set_role(pb::ROLE_USER);
    message->set_content(std::string(1'000'000, 'x'));
  }
  EXPECT_EQ(refused(request).reason, "REQUEST_TOO_LARGE");
  request.mutable_messages()->DeleteSubrange(0, 5);
  request.mutable_messages(0)->set_content(std::string(500'000, 'x'));
  const CallStatus status = refused(request);
  EXPECT_EQ(status.code, Code::resource_exhausted);
  EXPECT_EQ(status.reason, "REQUEST_TOO_LARGE") << status;
  EXPECT_EQ(status.domain, "parley");
  for (int i = 0; i < 20; ++i) {
    client().call_raw(k_service + "AppendMessages", std::string(10 << 20, '\x0A'));
  }
  EXPECT_LT(server().resident_bytes(), k_resident_max);
}

TEST_F(BadInput, BeginsNothingWhoseDeadlineHasPassed) {
  const std::string thread = made();
  for (int i = 0; i < 50; ++i) {
    const auto answer = client().call(append(thread, {"late"}), {.timeout = milliseconds(-1)});
    EXPECT_EQ(answer.status.code, Code::deadline_exceeded) << answer.status;
  }
  EXPECT_EQ(must_get(client(), thread).message_count(), 0);
}

TEST_F(BadInput, GoesOnAfterManyCancelledCalls) {
  const std::string thread = made();
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int call = 0; call < k_cancelled_calls / 4; ++call) {
        client().call_and_cancel(append(thread, {"perhaps"}));
        client().call(append(thread, {"in haste"}), {.timeout = milliseconds(1)});
        const auto stream = client().stream(watch(thread));
        stream->cancel();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  const auto answer = must(append(thread, {"sure"}));
  const auto messages = read_all(client(), thread);
  ASSERT_EQ(static_cast<int64_t>(messages.size()), answer.last_sequence());
  for (size_t i = 0; i < messages.size(); ++i) {
    ASSERT_EQ(messages[i].sequence(), static_cast<int64_t>(i) + 1);
  }
  const auto info = must(pb::GetServerInfoRequest{});
  EXPECT_LE(info.watch_streams(), 100) << "watches of callers who left are still open";
}

}  // namespace
}  // namespace parley::test
