#include <algorithm>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/one_server.hpp"

namespace parley::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ApiAdmin : public OneServer {};
class ApiTransfer : public OneServer {
 protected:
  static std::vector<pb::TransferRecord> exported(const pb::ExportConversationsRequest& request) {
    std::vector<pb::TransferRecord> records;
    const auto stream = client().stream(request);
    for (pb::ExportConversationsResponse response; stream->read(response);) {
      records.push_back(response.record());
    }
    const CallStatus status = stream->finish();
    EXPECT_TRUE(status.ok()) << status;
    return records;
  }

  static std::vector<pb::ImportConversationsResponse> imported(
      const std::vector<pb::TransferRecord>& records, const CallOptions& options = {}) {
    const auto stream = client().import(options);
    std::thread writer([&] {
      for (const auto& record : records) {
        pb::ImportConversationsRequest request;
        *request.mutable_record() = record;
        if (!stream->write(request)) break;
      }
      stream->writes_done();
    });
    std::vector<pb::ImportConversationsResponse> results;
    for (pb::ImportConversationsResponse result; stream->read(result);) results.push_back(result);
    writer.join();
    const CallStatus status = stream->finish();
    EXPECT_TRUE(status.ok()) << status;
    return results;
  }
};

const std::string k_line =
    R"({"thread_id":"jsonl 1/2","user_id":"u-1","source":"test","messages":[)"
    R"({"role":"user","content":"Hi \u00e9 ü","ts":"10:00"},)"
    R"({"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":)"
    R"({"name":"f","arguments":"{}"}}]},{"role":"tool","content":"","tool_call_id":"1","name":"f"}],)"
    R"("meta":{"x":[1,2.50,null]}})";

pb::TransferRecord jsonl(const std::string& line) {
  pb::TransferRecord record;
  record.set_jsonl(line);
  return record;
}

TEST_F(ApiTransfer, BringsJsonLinesInAndOutUnchanged) {
  const auto results = imported({jsonl(k_line)});
  ASSERT_EQ(results.size(), 1);
  EXPECT_EQ(results[0].result(), pb::IMPORT_RESULT_CREATED) << results[0].ShortDebugString();
  EXPECT_EQ(results[0].messages_imported(), 3);
  EXPECT_EQ(texts_of(results[0].thread_id()).size(), 3);
  pb::ExportConversationsRequest request;
  request.add_thread_ids(results[0].thread_id());
  request.set_form(pb::TRANSFER_FORM_JSONL);
  const auto records = exported(request);
  ASSERT_EQ(records.size(), 1);
  EXPECT_EQ(records[0].jsonl(), k_line);
  const auto again = imported({jsonl(k_line)});
  EXPECT_EQ(again.at(0).result(), pb::IMPORT_RESULT_UNCHANGED);
  EXPECT_EQ(again.at(0).messages_imported(), 0);
}

TEST_F(ApiTransfer, RefusesABadLineAndGoesOn) {
  const auto results = imported({jsonl("{\"thread_id\":\"bad\""), jsonl("[]"), jsonl(""),
                                 jsonl(R"({"thread_id":"good","messages":[]})")});
  ASSERT_EQ(results.size(), 4);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(results[static_cast<size_t>(i)].result(), pb::IMPORT_RESULT_REFUSED);
    EXPECT_FALSE(results[static_cast<size_t>(i)].error().empty());
    EXPECT_EQ(results[static_cast<size_t>(i)].error_reason(), "IMPORT_LINE_INVALID");
  }
  EXPECT_EQ(results[3].result(), pb::IMPORT_RESULT_CREATED) << results[3].ShortDebugString();
}

TEST_F(ApiTransfer, BringsTheFullFormIntoAnotherTenant) {
  const std::string thread = made({"a", "b"}, "mover");
  must(rename(thread, "moved"));
  pb::ExportConversationsRequest request;
  request.set_user_id("mover");
  const auto records = exported(request);
  ASSERT_GE(records.size(), 2);
  EXPECT_EQ(records[0].header().thread_id(), thread);
  const auto results = imported(records, {.tenant = "elsewhere"});
  ASSERT_EQ(results.size(), 1);
  EXPECT_EQ(results[0].result(), pb::IMPORT_RESULT_CREATED) << results[0].ShortDebugString();
  const auto there = client().call(get(results[0].thread_id(), 10), {.tenant = "elsewhere"});
  ASSERT_TRUE(there.ok()) << there.status;
  EXPECT_EQ(there->conversation().title(), "moved");
  EXPECT_EQ(there->conversation().user_id(), "mover");
  ASSERT_EQ(there->conversation().messages_size(), 2);
  EXPECT_EQ(there->conversation().messages(1).content(), "b");
  EXPECT_EQ(imported(records, {.tenant = "elsewhere"}).at(0).result(), pb::IMPORT_RESULT_UNCHANGED);
}

TEST_F(ApiTransfer, RefusesMessagesWithoutAHeader) {
  pb::TransferRecord stray;
  stray.mutable_messages()->add_messages()->set_content("x");
  const auto results = imported({stray});
  ASSERT_EQ(results.size(), 1);
  EXPECT_EQ(results[0].error_reason(), "IMPORT_OUT_OF_ORDER");
}

TEST_F(ApiAdmin, AServerAloneHasAllShardsAndMovesNone) {
  const auto cluster = client().call(pb::GetClusterRequest{});
  ASSERT_TRUE(cluster.ok()) << cluster.status;
  EXPECT_EQ(cluster->nodes_size(), 0);
  EXPECT_GT(cluster->shards_size(), 0);
  for (const auto& shard : cluster->shards()) {
    EXPECT_EQ(shard.state(), pb::ClusterShard::STATE_SERVED);
    EXPECT_EQ(shard.epoch(), 1);
  }
  pb::MoveShardsRequest request;
  request.add_moves()->set_to("parley-1");
  const auto moved = client().call(request);
  EXPECT_EQ(moved.status.code, Code::unimplemented);
  EXPECT_EQ(moved.status.reason, "NEEDS_CLUSTER");
}

TEST_F(ApiAdmin, SaysWhatTheServerIs) {
  made({"x"});
  const auto info = must(pb::GetServerInfoRequest{});
  EXPECT_FALSE(info.release().empty());
  EXPECT_FALSE(info.store_id().empty());
  EXPECT_EQ(info.shard_count(), 16);
  EXPECT_GT(info.resident_bytes(), 1 << 20);
  EXPECT_GT(info.live_conversations(), 0);
  EXPECT_EQ(info.memory_budget_bytes(), 256 << 20);
  EXPECT_GT(info.disk_free_bytes(), 0);
  EXPECT_FALSE(info.disk_full());
  EXPECT_EQ(info.damaged_conversations(), 0);
  EXPECT_EQ(info.address(), server().address());
  const std::string store_id = info.store_id();
  restart();
  EXPECT_EQ(must(pb::GetServerInfoRequest{}).store_id(), store_id);
}

TEST_F(ApiAdmin, LocatesAConversation) {
  const std::string thread = made({"x"});
  pb::LocateConversationRequest request;
  request.set_thread_id(thread);
  const auto here = must(request);
  EXPECT_GE(here.shard(), 0);
  EXPECT_LT(here.shard(), 16);
  EXPECT_GE(here.epoch(), 1);
  EXPECT_FALSE(here.node().empty());
  EXPECT_TRUE(here.live());
  restart();
  EXPECT_EQ(must(request).shard(), here.shard());
}

TEST_F(ApiAdmin, TakesAndListsBackups) {
  made({"in the backup"});
  const auto first = must(pb::CreateBackupRequest{}).backup();
  EXPECT_GT(first.backup_id(), 0);
  EXPECT_GT(first.size_bytes(), 0);
  EXPECT_GT(first.file_count(), 0);
  made({"later"});
  const auto second = must(pb::CreateBackupRequest{}).backup();
  EXPECT_GT(second.backup_id(), first.backup_id());
  const auto listed = must(pb::ListBackupsRequest{});
  ASSERT_EQ(listed.backups_size(), 2);
  EXPECT_EQ(listed.backups(0).backup_id(), first.backup_id());
  EXPECT_EQ(listed.backups(1).backup_id(), second.backup_id());
}

TEST_F(ApiAdmin, FindsNothingWrongInSoundStorage) {
  for (int i = 0; i < 20; ++i) made({"x", "y"});
  const auto stream = client().stream(pb::VerifyStorageRequest{});
  pb::VerifyStorageResponse last;
  for (pb::VerifyStorageResponse progress; stream->read(progress);) {
    EXPECT_EQ(progress.problems_size(), 0);
    last = progress;
  }
  EXPECT_TRUE(stream->finish().ok());
  EXPECT_TRUE(last.done());
  EXPECT_GE(last.conversations(), 20);
  EXPECT_GE(last.messages(), 40);
  EXPECT_GT(last.bytes(), 0);
}

TEST_F(ApiAdmin, CanBeExploredByReflection) {
  // ServerReflectionRequest{list_services: ""}.
  std::string response;
  const CallStatus status =
      client().stream_raw("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                          std::string("\x3A\x00", 2), &response);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(response, HasSubstr("parley.v1.ConversationService"));
  EXPECT_THAT(response, HasSubstr("parley.v1.AdminService"));
  EXPECT_THAT(response, HasSubstr("grpc.health.v1.Health"));
  for (const std::string name : {"grpc.health.v1.Health", "parley.v1.ConversationService"}) {
    // ServerReflectionRequest{file_containing_symbol: name}.
    std::string described;
    client().stream_raw("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                        "\x22" + std::string(1, static_cast<char>(name.size())) + name, &described);
    EXPECT_THAT(described, HasSubstr("proto3")) << name << " is not described";
  }
}

TEST_F(ApiAdmin, AnswersHealth) {
  EXPECT_EQ(client().health(""), "SERVING");
  EXPECT_EQ(client().health("parley.v1.ConversationService"), "SERVING");
  EXPECT_THAT(client().health("parley.v1.Nothing"), HasSubstr("no such service"));
}

TEST_F(ApiAdmin, LetsHealthBeWatched) {
  std::string status;
  const auto known = client().watch_health("parley.v1.AdminService");
  ASSERT_TRUE(known->read(status)) << known->finish();
  EXPECT_EQ(status, "SERVING");
  const auto unknown = client().watch_health("parley.v1.Nothing");
  ASSERT_TRUE(unknown->read(status)) << unknown->finish();
  EXPECT_EQ(status, "SERVICE_UNKNOWN");
  unknown->cancel();
  EXPECT_EQ(unknown->finish().code, Code::cancelled);
}

TEST_F(ApiAdmin, AnswersUnknownMethods) {
  EXPECT_EQ(client().call_raw("/parley.v1.ConversationService/Nothing", "").code,
            Code::unimplemented);
}

}  // namespace
}  // namespace parley::test
