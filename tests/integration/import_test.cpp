#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/cluster_nodes.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::test {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;

#ifdef PARLEY_SANITIZED
constexpr size_t k_every = 5;  ///< only each fifth conversation
#else
constexpr size_t k_every = 1;
#endif

fs::path data_folder() {
  const char* source = std::getenv("PARLEY_SOURCE");
  return fs::path(source == nullptr ? "." : source) / ".." / "shared" / "data" / "conversations";
}

std::vector<std::string> read_lines() {
  std::vector<std::string> lines;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(data_folder())) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  size_t number = 0;
  for (const fs::path& file : files) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      if (number++ % k_every == 0) lines.push_back(line);
    }
  }
  return lines;
}

struct ImportOutcome {
  CallStatus status;
  std::map<pb::ImportResult, int> results;
  std::vector<std::string> refusals;
  std::set<std::string> acknowledged;  ///< threads that were answered
  int64_t messages = 0;
};

/// Imports all, killing a server once `kill_after` of them were answered.
ImportOutcome import_all(Client& client, const std::vector<std::string>& lines,
                         ServerProcess& doomed, size_t kill_after) {
  const auto stream = client.import({.timeout = std::chrono::minutes(4)});
  std::thread writer([&] {
    for (const std::string& line : lines) {
      pb::ImportConversationsRequest request;
      request.mutable_record()->set_jsonl(line);
      if (!stream->write(request)) return;
    }
    stream->writes_done();
  });
  ImportOutcome outcome;
  size_t answers = 0;
  for (pb::ImportConversationsResponse result; stream->read(result);) {
    ++outcome.results[result.result()];
    outcome.messages += result.messages_imported();
    if (result.result() == pb::IMPORT_RESULT_REFUSED) {
      outcome.refusals.push_back(result.ShortDebugString());
    } else {
      outcome.acknowledged.insert(result.thread_id());
    }
    if (++answers == kill_after) doomed.kill();
  }
  writer.join();
  outcome.status = stream->finish();
  return outcome;
}

std::vector<std::string> export_all(Client& client) {
  std::vector<std::string> lines;
  pb::ExportConversationsRequest request;
  request.set_form(pb::TRANSFER_FORM_JSONL);
  const auto stream = client.stream(request, {.timeout = std::chrono::minutes(4)});
  for (pb::ExportConversationsResponse response; stream->read(response);) {
    lines.push_back(response.record().jsonl());
  }
  const CallStatus status = stream->finish();
  EXPECT_TRUE(status.ok()) << status;
  return lines;
}

/// What one side has and the other has not.
std::vector<std::string> missing(std::vector<std::string> from, std::vector<std::string> in) {
  std::sort(from.begin(), from.end());
  std::sort(in.begin(), in.end());
  std::vector<std::string> found;
  std::set_difference(from.begin(), from.end(), in.begin(), in.end(), std::back_inserter(found));
  for (std::string& line : found) line = line.substr(0, 300);
  if (found.size() > 5) found.resize(5);
  return found;
}

TEST(Import, BringsRealConversationsInAndOutUnchangedAcrossKills) {
  if (!fs::exists(data_folder())) GTEST_SKIP() << "needs the conversations in ../shared/data";
  const std::vector<std::string> lines = read_lines();
  const TempDir dir;
  const ServerOptions options{.data_dir = dir / "data"};
  std::set<std::string> acknowledged;
  for (const size_t kill_after : {lines.size() / 5, lines.size() / 2, size_t{0}}) {
    const auto server = start_server(options);
    Client client(server->address());
    for (const std::string& thread : acknowledged) {
      ASSERT_TRUE(client.call(get(thread)).ok()) << thread << " was answered before the kill";
    }
    const ImportOutcome outcome = import_all(client, lines, *server, kill_after);
    acknowledged.insert(outcome.acknowledged.begin(), outcome.acknowledged.end());
    EXPECT_THAT(outcome.refusals, IsEmpty());
    std::cout << (kill_after == 0 ? "to the end: " : "killed: ");
    for (const auto& [result, count] : outcome.results) {
      std::cout << count << " " << pb::ImportResult_Name(result) << ", ";
    }
    std::cout << outcome.messages << " messages\n";
    if (kill_after == 0) {
      ASSERT_TRUE(outcome.status.ok()) << outcome.status;
      EXPECT_GT(outcome.results.at(pb::IMPORT_RESULT_UNCHANGED), 0);
    }
  }
  const auto server = start_server(options);
  Client client(server->address());
  const std::vector<std::string> exported = export_all(client);
  EXPECT_EQ(exported.size(), lines.size());
  EXPECT_THAT(missing(lines, exported), IsEmpty()) << "not exported as they were";
  EXPECT_THAT(missing(exported, lines), IsEmpty()) << "exported, and never imported so";
  EXPECT_THAT(storage_problems(client), IsEmpty());
}

TEST(Import, GoesWhereConversationsBelongByAnyNodeOfAClusterAcrossAKill) {
  if (!fs::exists(data_folder())) GTEST_SKIP() << "needs the conversations in ../shared/data";
  constexpr size_t k_lines_max = 3'000;
  std::vector<std::string> lines = read_lines();
  lines.resize(std::min(lines.size(), k_lines_max));
  const TempDir dir;
  ClusterNodes nodes(dir.path(), 3, {"--shards", "64"});
  const ImportOutcome first = import_all(nodes.client(0), lines, nodes.node(1), lines.size() / 2);
  ASSERT_TRUE(first.status.ok()) << first.status;
  // What belongs to the node that went is refused from then on, and nothing else.
  EXPECT_FALSE(first.refusals.empty());
  for (const std::string& refusal : first.refusals) {
    EXPECT_THAT(refusal, AnyOf(HasSubstr("NODE_UNREACHABLE"), HasSubstr("OUTCOME_UNKNOWN")));
  }
  nodes.start(1);
  nodes.wait_until_linked();
  const ImportOutcome again = import_all(nodes.client(2), lines, nodes.node(1), 0);
  ASSERT_TRUE(again.status.ok()) << again.status;
  EXPECT_THAT(again.refusals, IsEmpty());
  EXPECT_GE(again.results.at(pb::IMPORT_RESULT_UNCHANGED),
            static_cast<int>(first.acknowledged.size()));
  for (int node = 0; node < nodes.count(); ++node) {
    const std::vector<std::string> exported = export_all(nodes.client(node));
    EXPECT_EQ(exported.size(), lines.size());
    EXPECT_THAT(missing(lines, exported), IsEmpty()) << "not exported as they were";
    EXPECT_THAT(missing(exported, lines), IsEmpty()) << "exported, and never imported so";
    EXPECT_THAT(storage_problems(nodes.client(node)), IsEmpty());
  }
  nodes.node(1).kill();
  const auto stream = nodes.client(0).stream(pb::ExportConversationsRequest{});
  pb::ExportConversationsResponse response;
  EXPECT_FALSE(stream->read(response));
  EXPECT_EQ(stream->finish().code, Code::unavailable);
}

}  // namespace
}  // namespace parley::test
