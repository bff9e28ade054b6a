#include "services/providers/response_documents.hpp"

#include <string>

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(ResponseDocuments, AreOneOfABodyInJson) {
  const auto read = read_documents("\n \n{\"id\": \"x\"}");
  EXPECT_EQ(read.form, BodyForm::json);
  ASSERT_EQ(read.documents.size(), 1U);
  EXPECT_EQ(text_at(read.documents[0], {"id"}), "x");
}

TEST(ResponseDocuments, AreTheElementsOfAList) {
  const auto read = read_documents(R"([{"error": {"code": 429}}])");
  ASSERT_EQ(read.documents.size(), 1U);
  EXPECT_EQ(text_at(read.documents[0], {"error", "code"}), "429");
}

TEST(ResponseDocuments, AreTheEventsOfAStream) {
  const auto read = read_documents(
      ": PROCESSING\n\nevent: a\ndata: {\"a\":1}\n\ndata: {\"a\":2}\n\ndata: [DONE]\n\n");
  EXPECT_EQ(read.form, BodyForm::events);
  EXPECT_EQ(read.documents.size(), 2U);
  EXPECT_EQ(read.problem, "");
  const auto lines = read_documents("{\"a\":1}\n{\"a\":2}\n");
  EXPECT_EQ(lines.documents.size(), 2U);
}

TEST(ResponseDocuments, SayWhatTheyCouldNotRead) {
  const auto broken = read_documents("data: {\"a\":1}\n\ndata: {\"a\":");
  EXPECT_EQ(broken.documents.size(), 1U);
  EXPECT_EQ(broken.problem, "1 events hold no JSON");
  const auto page = read_documents("<html>502 Bad Gateway</html>");
  EXPECT_EQ(page.form, BodyForm::text);
  EXPECT_NE(page.problem, "");
  const auto binary = read_documents(std::string("\0\0\0\x20\0\0\0\x01garbage garbage", 24));
  EXPECT_EQ(binary.form, BodyForm::event_stream);
  EXPECT_NE(binary.problem, "");
  EXPECT_EQ(read_documents("").form, BodyForm::empty);
}

TEST(ResponseDocuments, AreBoundedHoweverShortEventsAre) {
  std::string lines;
  for (int i = 0; i < 100'001; ++i) lines += "{}\n";
  const auto read = read_documents(lines);
  EXPECT_EQ(read.documents.size(), 100'000U);
  EXPECT_EQ(read.problem, "only the first 100000 events were read");
}

}  // namespace
}  // namespace parley
