#include "services/utf8_path.hpp"

#include <gtest/gtest.h>

#include "parley/v1/conversation.pb.h"
#include "services/error_table.hpp"
#include "services/wire.hpp"
#include "tests/services/checked.hpp"

namespace parley {
namespace {

/// A length-delimited field of the wire format.
std::string field(uint32_t number, std::string_view bytes) {
  std::string out;
  append_length_delimited(number, bytes, out);
  return out;
}

std::string found(const std::string& bytes, const google::protobuf::Message& type) {
  const auto bad = find_bad_text(bytes, *type.GetDescriptor());
  return bad ? bad->field + " at " + std::to_string(bad->at) : "nothing";
}

std::string found_in_append(const std::string& bytes) {
  return found(bytes, v1::AppendMessagesRequest());
}

TEST(Utf8Path, NamesFieldAndByteHoweverDeepItIs) {
  const std::string message = field(4, "fine");
  EXPECT_EQ(found_in_append(field(1, "ab\xFF")), "thread_id at 2");
  EXPECT_EQ(found_in_append(field(1, "t") + field(2, message) + field(2, field(4, "\xC0\x80"))),
            "messages[1].content at 0");
  EXPECT_EQ(found_in_append(field(2, field(4, "cut \xF0\x9F\x98"))), "messages[0].content at 4");
  EXPECT_EQ(found_in_append(field(2, field(4, "\xC3\xA9\xED\xA0\x80"))),
            "messages[0].content at 2");
  EXPECT_EQ(found(field(1, field(1, "{\xFF}")), v1::ImportConversationsRequest()),
            "record.jsonl at 1");
}

TEST(Utf8Path, WalksIntoMaps) {
  v1::CreateConversationRequest request;
  (*request.mutable_metadata()->mutable_fields())["k"].set_string_value("12345");
  std::string bytes = request.SerializeAsString();
  bytes.replace(bytes.find("345"), 1, "\xFF");
  EXPECT_EQ(found(bytes, request), "metadata.fields[0].value.string_value at 2");
}

TEST(Utf8Path, BlamesNothingWhereAllIsWell) {
  v1::AppendMessagesRequest request;
  request.set_thread_id("t");
  request.add_messages()->set_content(
      "gr\xC3\xB6\xC3\x9F"
      "er \xF0\x9F\x98\x80");
  request.mutable_messages(0)->set_role(v1::ROLE_USER);
  EXPECT_EQ(found_in_append(request.SerializeAsString()), "nothing");
  EXPECT_EQ(found_in_append(""), "nothing");
  EXPECT_EQ(found_in_append(field(900, "\xFF")), "nothing") << "an unknown field is bytes";
}

TEST(Utf8Path, BlamesNoFieldOfWhatIsNoMessage) {
  const std::string bad = field(1, "\xFF");
  EXPECT_EQ(found_in_append("rubbish"), "nothing");
  EXPECT_EQ(found_in_append(std::string(11, '\xFF') + bad), "nothing");
  EXPECT_EQ(found_in_append(field(1, "thread").substr(0, 3)), "nothing");
  EXPECT_EQ(found_in_append(std::string(200, '\x0B') + bad), "nothing");
  EXPECT_EQ(found_in_append(field(2, field(4, "long").substr(0, 3)) + bad), "nothing");
}

TEST(Utf8Path, StopsWhereMessagesNestTooDeeply) {
  // google.protobuf.Value: struct_value, its fields, their value, and so on.
  const auto nested = [](int levels) {
    std::string value = field(3, "\xFF");
    for (int i = 0; i < levels; ++i) value = field(5, field(1, field(2, value)));
    return field(1, field(2, value));
  };
  const google::protobuf::Struct type;
  EXPECT_NE(found(nested(30), type), "nothing");
  EXPECT_EQ(found(nested(200), type), "nothing");
}

TEST(UndecodableRequest, NamesTheFieldThatIsNotUtf8) {
  const v1::AppendMessagesRequest expected;
  const ApiError error = undecodable_request(field(1, "ab\xFF"), expected);
  EXPECT_EQ(error.reason, "INVALID_FIELD");
  EXPECT_TRUE(names_field(error, "thread_id"));
  EXPECT_NE(error.message.find("byte 2"), std::string::npos) << error.message;
  EXPECT_EQ(undecodable_request("rubbish", expected).reason, "INVALID_REQUEST");
}

}  // namespace
}  // namespace parley
