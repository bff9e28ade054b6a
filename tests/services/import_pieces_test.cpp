#include "services/import_pieces.hpp"

#include <set>

#include <gtest/gtest.h>

#include "tests/services/checked.hpp"

namespace parley {
namespace {

const Limits k_limits;

ImportedConversation imported_of(size_t count, size_t bytes = 10) {
  ImportedConversation imported;
  imported.header.set_thread_id("s:t");
  imported.header.set_user_id("u");
  imported.header.set_source_json(R"({"messages":[]})");
  for (size_t i = 0; i < count; ++i) {
    v1::Message message;
    message.set_role(v1::ROLE_USER);
    message.set_content(std::string(bytes, 'x'));
    imported.messages.push_back(message);
  }
  return imported;
}

TEST(ImportPieces, CreatesThenAppends) {
  const auto pieces = value_of(import_pieces(imported_of(600), k_limits));
  ASSERT_EQ(pieces.size(), 4U);
  const auto& create = std::get<CreateConversation>(pieces[0].asked.command);
  EXPECT_TRUE(create.get_or_create);
  EXPECT_EQ(create.user, "u");
  EXPECT_EQ(create.source_json, R"({"messages":[]})");
  EXPECT_EQ(create.policy, Policy{});
  EXPECT_EQ(pieces[1].first, 1U);
  EXPECT_EQ(pieces[1].count, 256U);
  EXPECT_EQ(pieces[3].first, 513U);
  EXPECT_EQ(pieces[3].count, 88U);
  EXPECT_EQ(std::get<AppendMessages>(pieces[3].asked.command).messages.size(), 88U);
}

TEST(ImportPieces, StaysWithinARequest) {
  const auto pieces = value_of(import_pieces(imported_of(10, 1'000'000), k_limits));
  uint64_t next = 1;
  for (size_t i = 1; i < pieces.size(); ++i) {
    size_t bytes = 0;
    for (const auto& message : std::get<AppendMessages>(pieces[i].asked.command).messages) {
      bytes += message.body->size();
    }
    EXPECT_LT(bytes, k_limits.request_bytes);
    EXPECT_EQ(pieces[i].first, next);
    next += pieces[i].count;
  }
  EXPECT_EQ(next, 11U);
}

TEST(ImportPieces, NamesEachPieceTheSameEveryTime) {
  const auto once = value_of(import_pieces(imported_of(600), k_limits));
  const auto again = value_of(import_pieces(imported_of(600), k_limits));
  std::set<Id128> ids;
  for (size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(once[i].asked.meta.request, again[i].asked.meta.request);
    EXPECT_EQ(once[i].asked.meta.digest, again[i].asked.meta.digest);
    EXPECT_TRUE(ids.insert(once[i].asked.meta.request).second);
  }
  auto other = imported_of(600);
  other.messages[300].set_content("else");
  const auto changed = value_of(import_pieces(std::move(other), k_limits));
  EXPECT_EQ(changed[1].asked.meta.request, once[1].asked.meta.request);
  EXPECT_NE(changed[2].asked.meta.request, once[2].asked.meta.request);
  EXPECT_NE(import_request_id("a", 1, 2), import_request_id("a", 12, 0));
}

TEST(ImportPieces, ChecksWhatComesIn) {
  auto imported = imported_of(2);
  imported.header.set_thread_id("a/b");
  imported.messages[1].set_role(v1::ROLE_UNSPECIFIED);
  const ApiError error = error_in(import_pieces(std::move(imported), k_limits));
  EXPECT_TRUE(names_field(error, "header.thread_id"));
  EXPECT_TRUE(names_field(error, "messages[1].role"));
}

TEST(ImportPieces, ReadsTheFullFormAsItWasExported) {
  FullFormReader reader(k_limits);
  v1::Conversation header;
  header.set_thread_id("t");
  header.set_title("T");
  header.set_version(9);
  header.set_message_count(2);
  header.mutable_usage()->set_total_tokens(5);
  header.set_state(v1::CONVERSATION_STATE_ARCHIVED);
  (*header.mutable_metadata()->mutable_fields())["k"].set_bool_value(true);
  (*header.mutable_labels())["l"] = "v";
  ASSERT_FALSE(reader.begin(header));
  for (int i = 1; i <= 2; ++i) {
    v1::MessageBatch batch;
    auto& message = *batch.add_messages();
    message.set_role(v1::ROLE_USER);
    message.set_sequence(i);
    message.set_version(i + 1);
    message.set_message_id("m-0000000000000000-" + std::to_string(i));
    message.mutable_create_time()->set_seconds(1'700'000'000);
    message.mutable_create_time()->set_nanos(123'456'000);
    ASSERT_FALSE(reader.add(batch));
  }
  auto imported = reader.take();
  EXPECT_FALSE(reader.open());
  ASSERT_EQ(imported.messages.size(), 2U);
  EXPECT_EQ(imported.messages[1].sequence(), 0);
  EXPECT_FALSE(imported.messages[1].has_create_time());
  EXPECT_EQ(imported.messages[1].source_time(), "2023-11-14T22:13:20.123456Z");
  const auto pieces = value_of(import_pieces(std::move(imported), k_limits));
  ASSERT_EQ(pieces.size(), 3U);
  const auto& create = std::get<CreateConversation>(pieces[0].asked.command);
  EXPECT_EQ(create.title, "T");
  EXPECT_EQ(create.metadata, R"({"k":true})");
  EXPECT_EQ(create.labels.at("l"), "v");
  EXPECT_EQ(std::get<UpdateConversation>(pieces[2].asked.command).lifecycle, Lifecycle::archived);
}

TEST(ImportPieces, RefusesRecordsOutOfOrder) {
  FullFormReader reader(k_limits);
  v1::MessageBatch batch;
  batch.add_messages()->set_role(v1::ROLE_USER);
  EXPECT_EQ(reader.add(batch)->reason, "IMPORT_OUT_OF_ORDER");
  v1::Conversation header;
  header.set_thread_id("t");
  ASSERT_FALSE(reader.begin(header));
  EXPECT_FALSE(reader.add(batch));
  batch.mutable_messages(0)->set_sequence(3);
  EXPECT_EQ(reader.add(batch)->reason, "IMPORT_OUT_OF_ORDER");
  ASSERT_FALSE(reader.begin(header));
  EXPECT_EQ(reader.add(v1::MessageBatch())->reason, "INVALID_FIELD");
}

TEST(ImportPieces, RefusesAConversationOnceAndAsAWhole) {
  FullFormReader reader(k_limits);
  v1::MessageBatch batch;
  batch.add_messages()->set_role(v1::ROLE_USER);
  v1::Conversation header;
  EXPECT_TRUE(names_field(*reader.begin(header), "header.thread_id"));
  EXPECT_FALSE(reader.add(batch)) << "of a header that was refused";
  header.set_thread_id("t");
  ASSERT_FALSE(reader.begin(header));
  EXPECT_FALSE(reader.passing_over());
  EXPECT_TRUE(reader.add(v1::MessageBatch()));
  EXPECT_FALSE(reader.open()) << "half of it would be imported";
  EXPECT_TRUE(reader.passing_over());
  EXPECT_FALSE(reader.add(v1::MessageBatch()));
  ASSERT_FALSE(reader.begin(header));
  reader.give_up();
  EXPECT_FALSE(reader.open());
  EXPECT_FALSE(reader.add(batch));
  ASSERT_FALSE(reader.begin(header));
  EXPECT_FALSE(reader.add(batch));
  EXPECT_EQ(reader.take().messages.size(), 1U);
}

}  // namespace
}  // namespace parley
