#include "services/wire.hpp"

#include <chrono>
#include <deque>
#include <random>

#include "google/protobuf/util/message_differencer.h"
#include <gtest/gtest.h>

#include "parley/v1/conversation.pb.h"
#include "services/translate.hpp"

namespace parley {
namespace {

using google::protobuf::util::MessageDifferencer;

const Id128 k_own = Id128::from_bytes("\x01\x23\x45\x67\x89\xab\xcd\xef--------");
const Id128 k_past = Id128::from_bytes("pastpastpastpast");

Message stored(uint64_t sequence, const v1::Message& body, int64_t micros = 1'700'000'000'123'456) {
  return {{sequence},
          {sequence + 1},
          {micros},
          Role::user,
          std::make_shared<const std::string>(body.SerializeAsString())};
}

/// The same by way of the ordinary classes.
v1::Message expected_of(const Message& message, const Id128& history) {
  v1::Message expected;
  EXPECT_TRUE(expected.ParseFromString(*message.body));
  expected.set_sequence(static_cast<int64_t>(message.sequence.value));
  expected.set_version(static_cast<int64_t>(message.version.value));
  fill_time(message.create_time, *expected.mutable_create_time());
  if (expected.message_id().empty()) {
    expected.set_message_id(derived_message_id(history, message.sequence));
  }
  return expected;
}

v1::Message random_message(std::mt19937_64& random) {
  v1::Message message;
  message.set_role(static_cast<v1::Role>(1 + random() % 4));
  if (random() % 2 == 0) message.set_content(std::string(random() % 300, 'c'));
  if (random() % 2 == 0) message.set_message_id("m" + std::to_string(random()));
  if (random() % 3 == 0) message.set_name("\x12\x01x");
  if (random() % 3 == 0) message.mutable_cost()->set_units(static_cast<int64_t>(random()));
  if (random() % 3 == 0) {
    message.add_parts()->mutable_text()->set_text("\x12\x03");
    message.add_parts()->mutable_image()->set_data("\x12\xff");
  }
  if (random() % 3 == 0) {
    (*message.mutable_metadata()->mutable_fields())["k"].set_number_value(0.5);
  }
  if (random() % 4 == 0) message.set_pinned(true);
  if (random() % 4 == 0) message.mutable_provider_response()->set_status(200);
  return message;
}

State some_state() {
  State state;
  state.exists = true;
  state.version = {12};
  state.user = "u";
  state.title = "T";
  state.metadata = R"({"a":[1,"x"]})";
  state.labels = {{"k", "v"}, {"l", "w"}};
  state.create_time = {5};
  state.last_activity = {1'700'000'000'000'000};
  state.reset_version = {3};
  state.origin = ForkOrigin{"parent", {2}};
  state.source_json = "{}";
  state.current.history = k_own;
  state.current.past = {{{1}, k_past, {1}, {2}}};
  state.last_sequence = {4};
  state.message_bytes = 99;
  state.totals.add({.usage = {1, 2, 3, 4, 5, 6}, .cost = Money{"USD", 1, 5}, .model = "m"});
  state.by_model["m"] = state.totals;
  return state;
}

TEST(Wire, PutsTogetherWhatTheClassesWouldWrite) {
  for (uint64_t seed = 0; seed < 3'000; ++seed) {
    std::mt19937_64 random(seed);
    const v1::Message body = random_message(random);
    const int64_t micros = static_cast<int64_t>(random() % 4'000'000'000'000'000) - 1'000'000;
    const Message message = stored(random() >> (random() % 63), body, micros);
    std::string wire;
    append_wire_message(message, k_own, wire);
    v1::Message parsed;
    ASSERT_TRUE(parsed.ParseFromString(wire));
    ASSERT_TRUE(MessageDifferencer::Equals(parsed, expected_of(message, k_own))) << seed;
    ASSERT_LE(wire.size(), wire_message_bytes_max(message));
  }
}

TEST(Wire, DerivesAnIdFromHistoryAndSequence) {
  EXPECT_EQ(derived_message_id(k_own, {17}), "m-0123456789abcdef-17");
  EXPECT_EQ(derived_message_id({}, {UINT64_MAX}), "m-0000000000000000-18446744073709551615");
  EXPECT_TRUE(check_id("id", derived_message_id({}, {UINT64_MAX})).ok());
}

TEST(Wire, SeesFieldsOfEveryTypeBeforeAnId) {
  // The id last, after a fixed64, a fixed32, a varint and bytes that look like an id's tag.
  const std::string body("\x09\x12\x01xxxxxx\x15\x12\x01xx\x18\x01\x22\x03\x12\x01x\x12\x02id");
  const Message message{{1}, {1}, {1}, Role::user, std::make_shared<const std::string>(body)};
  std::string wire;
  append_wire_message(message, k_own, wire);
  EXPECT_EQ(wire.find("m-"), std::string::npos);
}

TEST(Wire, NeverReadsBeyondADamagedBody) {
  std::mt19937 random(3);
  for (int i = 0; i < 100'000; ++i) {
    auto body = std::make_shared<std::string>(random() % 20, '\0');
    for (char& c : *body) c = static_cast<char>(random());
    std::string wire;
    append_wire_message({{1}, {1}, {1}, Role::user, body}, k_own, wire);
    ASSERT_EQ(wire.compare(0, body->size(), *body), 0);
  }
}

TEST(Wire, FindsTheHistoryOfAForksMessages) {
  const State state = some_state();
  EXPECT_EQ(history_of(state, {1}), k_past);
  EXPECT_EQ(history_of(state, {2}), k_past);
  EXPECT_EQ(history_of(state, {3}), k_own);
}

TEST(Wire, EncodesAWholeConversation) {
  const State state = some_state();
  std::mt19937_64 random(5);
  std::deque<Message> messages = {stored(1, {})};
  for (uint64_t i = 2; i <= 4; ++i) messages.push_back(stored(i, random_message(random)));

  v1::GetConversationResponse expected;
  fill_conversation(state, "t", *expected.mutable_conversation());
  for (const Message& message : messages) {
    *expected.mutable_conversation()->add_messages() =
        expected_of(message, history_of(state, message.sequence));
  }
  v1::GetConversationResponse parsed;
  ASSERT_TRUE(parsed.ParseFromString(wire_get_conversation_response(state, "t", all_of(messages))));
  EXPECT_TRUE(MessageDifferencer::Equals(parsed, expected)) << parsed.DebugString();
  EXPECT_EQ(parsed.conversation().metadata().fields().at("a").list_value().values_size(), 2);
  EXPECT_EQ(parsed.conversation().cost(0).nanos(), 5);
  EXPECT_EQ(parsed.conversation().messages(0).message_id(), derived_message_id(k_past, {1}));

  ASSERT_TRUE(parsed.ParseFromString(wire_get_conversation_response(state, "t", {})));
  EXPECT_EQ(parsed.conversation().messages_size(), 0);
}

TEST(Wire, EncodesAPageOfMessages) {
  const State state = some_state();
  std::vector<Message> messages;
  std::mt19937_64 random(6);
  for (uint64_t i = 1; i <= 300; ++i) messages.push_back(stored(i, random_message(random)));
  v1::ListMessagesResponse parsed;
  ASSERT_TRUE(parsed.ParseFromString(wire_list_messages_response(state, all_of(messages), "next")));
  EXPECT_EQ(parsed.next_page_token(), "next");
  EXPECT_EQ(parsed.version(), 12);
  ASSERT_EQ(parsed.messages_size(), 300);
  for (int i = 0; i < 300; ++i) {
    const Message& message = messages[static_cast<size_t>(i)];
    ASSERT_TRUE(MessageDifferencer::Equals(
        parsed.messages(i), expected_of(message, history_of(state, message.sequence))));
  }
  EXPECT_EQ(wire_list_messages_response(State{}, {}, ""), "");
}

TEST(Wire, TakesTheLastOfAWindow) {
  const std::deque<Message> window = {stored(1, {}), stored(2, {}), stored(3, {})};
  EXPECT_EQ(last_of(window, 0).size(), 0U);
  EXPECT_EQ(last_of(window, 2).front()->sequence, Sequence{2});
  EXPECT_EQ(last_of(window, 9).size(), 3U);
}

TEST(Wire, EncodesSingleFields) {
  std::string out;
  append_length_delimited(2, "ab", out);
  append_varint_field(3, 300, out);
  append_varint_field(4, 0, out);
  EXPECT_EQ(out, std::string("\x12\x02"
                             "ab\x18\xac\x02"));
}

TEST(Wire, CostsLittleMoreThanACopy) {
  constexpr int k_rounds = 200'000;
  v1::Message body;
  body.set_role(v1::ROLE_USER);
  body.set_content(std::string(200, 'x'));
  const Message message = stored(1'000, body);
  std::string out;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < k_rounds; ++i) {
    out.clear();
    append_wire_message_field(1, message, k_own, out);
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  std::printf("wire message of 200 bytes: %.0f ns\n", took.count() / k_rounds);
  EXPECT_FALSE(out.empty());
}

}  // namespace
}  // namespace parley
