#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include <grpcpp/grpcpp.h>
#include <nlohmann/json.hpp>

#include "bench/failure.hpp"
#include "bench/machine.hpp"
#include "bench/questions.hpp"
#include "bench/sides.hpp"
#include "parley/v1/admin.grpc.pb.h"
#include "parley/v1/conversation.grpc.pb.h"
#include "tests/support/temp_dir.hpp"

namespace parley::bench {
namespace {

namespace api = ::parley::v1;

/// What was sent, and what the server said of it.
struct Imported {
  uint64_t conversations = 0;
  uint64_t messages = 0;
  double content_bytes = 0;  ///< of the messages' content alone
  double json_bytes = 0;     ///< of the lines
};

void count(const std::string& line, Imported& sum) {
  const auto conversation = nlohmann::json::parse(line);
  for (const auto& message : conversation.at("messages")) {
    const auto content = message.find("content");
    ++sum.messages;
    if (content == message.end() || !content->is_string()) continue;
    sum.content_bytes += static_cast<double>(content->get_ref<const std::string&>().size());
  }
  ++sum.conversations;
  sum.json_bytes += static_cast<double>(line.size() + 1);
}

std::vector<std::filesystem::path> files_in(const std::string& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(directory, missing)) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
  }
  return files;
}

/// Runs on a thread of its own while the lines are written.
void take_answers(grpc::ClientReaderWriter<api::ImportConversationsRequest,
                                           api::ImportConversationsResponse>& stream,
                  uint64_t& created) {
  api::ImportConversationsResponse answer;
  while (stream.Read(&answer)) {
    if (answer.result() == api::IMPORT_RESULT_CREATED) ++created;
  }
}

Imported import_all(const std::string& address, const std::vector<std::filesystem::path>& files) {
  const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  const auto stub = api::ConversationService::NewStub(channel);
  grpc::ClientContext context;
  const auto stream = stub->ImportConversations(&context);
  Imported sum;
  uint64_t created = 0;
  std::thread reader([&] { take_answers(*stream, created); });
  for (const auto& file : files) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      count(line, sum);
      api::ImportConversationsRequest request;
      request.mutable_record()->set_jsonl(line);
      if (!stream->Write(request)) break;
    }
  }
  stream->WritesDone();
  reader.join();
  const grpc::Status status = stream->Finish();
  if (!status.ok()) fail("ImportConversations: " + status.error_message());
  if (created != sum.conversations) {
    fail(absl::StrCat("only ", created, " of ", sum.conversations, " conversations were imported"));
  }
  return sum;
}

void verify(const std::string& address) {
  const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  const auto stub = api::AdminService::NewStub(channel);
  grpc::ClientContext context;
  const auto stream = stub->VerifyStorage(&context, {});
  api::VerifyStorageResponse answer;
  while (stream->Read(&answer)) {
    if (!answer.problems().empty()) fail("VerifyStorage: " + answer.problems(0).what());
  }
  const grpc::Status status = stream->Finish();
  if (!status.ok()) fail("VerifyStorage: " + status.error_message());
}

void add_row(Table& table, const std::string& when, const std::filesystem::path& data,
             const Imported& sum) {
  const auto store = static_cast<double>(bytes_on_disk((data / "db").string()));
  const auto log = static_cast<double>(bytes_on_disk((data / "log").string()));
  table.row({when, megabytes(store), decimal(store / sum.content_bytes),
             decimal(store / sum.json_bytes), megabytes(log)});
}

}  // namespace

Section ask_storage(const Settings& settings) {
  const auto files = files_in(settings.dataset);
  const std::string title = "Bytes stored per byte of payload";
  if (files.empty()) {
    return {"storage", title, "Not measured: no data set in " + settings.dataset + ".\n"};
  }
  const test::TempDir dir;
  auto server = std::make_unique<BenchServer>(settings, dir / "data");
  server->wait_until_serving();
  const Imported sum = import_all(server->address(), files);
  server->settle();
  Table table({"when", "store MB", "store / content", "store / JSON lines", "log MB"});
  add_row(table, "right after the import", dir / "data", sum);
  verify(server->address());
  server->stop();
  add_row(table, "after an orderly stop", dir / "data", sum);
  server = std::make_unique<BenchServer>(settings, dir / "data");
  server->wait_until_serving();
  server->rest();
  add_row(table, "after a restart, files merged at rest", dir / "data", sum);
  server->stop();
  return {"storage", title,
          absl::StrCat("The real conversations: ", whole(static_cast<double>(sum.conversations)),
                       " with ", whole(static_cast<double>(sum.messages)), " messages, ",
                       megabytes(sum.content_bytes), " MB of content in ",
                       megabytes(sum.json_bytes), " MB of JSON lines.\n\n", table.text())};
}

}  // namespace parley::bench
