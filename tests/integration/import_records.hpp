#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/client.hpp"

/// Records of an import, one by one, and what is answered to them.
namespace parley::test {

/// All answers of an import of these records, which must end well.
inline std::vector<pb::ImportConversationsResponse> imported(
    Client& client, const std::vector<pb::TransferRecord>& records) {
  const auto stream = client.import();
  for (const pb::TransferRecord& record : records) {
    pb::ImportConversationsRequest request;
    *request.mutable_record() = record;
    EXPECT_TRUE(stream->write(request));
  }
  stream->writes_done();
  std::vector<pb::ImportConversationsResponse> answers;
  for (pb::ImportConversationsResponse answer; stream->read(answer);) answers.push_back(answer);
  const CallStatus status = stream->finish();
  EXPECT_TRUE(status.ok()) << status;
  return answers;
}

inline pb::TransferRecord line_of(const std::string& thread, const std::string& text) {
  pb::TransferRecord record;
  record.set_jsonl(R"({"thread_id":")" + thread + R"(","messages":[{"role":"user","content":")" +
                   text + R"("}]})");
  return record;
}

inline pb::TransferRecord header_of(const std::string& thread) {
  pb::TransferRecord record;
  record.mutable_header()->set_thread_id(thread);
  return record;
}

inline pb::TransferRecord batch_of(int64_t sequence, const std::string& text) {
  pb::TransferRecord record;
  pb::Message& message = *record.mutable_messages()->add_messages();
  message.set_role(pb::ROLE_USER);
  message.set_sequence(sequence);
  message.set_content(text);
  return record;
}

inline std::vector<pb::ImportResult> results_of(
    const std::vector<pb::ImportConversationsResponse>& answers) {
  std::vector<pb::ImportResult> results;
  for (const auto& answer : answers) results.push_back(answer.result());
  return results;
}

}  // namespace parley::test
