#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/client.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/server_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::test {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr uint64_t k_block = 4096;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void overwrite(const fs::path& path, uint64_t offset, const std::string& bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.good()) << path;
}

void flip(const fs::path& path, uint64_t offset) {
  const char was = read_file(path).at(offset);
  overwrite(path, offset, std::string(1, static_cast<char>(was ^ 0x10)));
}

std::vector<fs::path> files_under(const fs::path& folder, const std::string& extension = "") {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && (extension.empty() || entry.path().extension() == extension)) {
      found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

struct Place {
  fs::path file;
  uint64_t offset = 0;
};

/// A server that stays as long as the test and can be damaged while it is down.
class LogDamage : public testing::Test {
 protected:
  LogDamage() { start(); }

  void start() {
    server_ = start_server(options());
    client_ = std::make_unique<Client>(server_->address());
  }
  void kill() { server_->kill(); }
  void stop() {
    client_.reset();  // An idle client of gRPC takes seconds to let go.
    EXPECT_EQ(server_->stop(), Ending{.exit_code = 0}) << server_->output();
  }
  ServerOptions options() {
    return {.data_dir = dir_ / "data", .flags = {"--log-segment", "1MB", "--shards", "16"}};
  }
  fs::path log() const { return dir_ / "data" / "log"; }
  fs::path store() const { return dir_ / "data" / "db"; }

  /// Appends one message that can be found in the log by its text.
  std::string append_marked(const std::string& thread, size_t size = 40) {
    std::string text = "marker " + new_request_id() + " of " + thread + " ";
    if (text.size() < size) text += noise(size - text.size());
    const auto answer = client().call(append(thread, {text}));
    EXPECT_TRUE(answer.ok()) << answer.status;
    expected_[thread].push_back(text);
    return text;
  }
  void create_some(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string thread = "c" + std::to_string(i);
      ASSERT_TRUE(client().call(create(thread, "u")).ok());
      expected_[thread];
    }
  }
  static std::string noise(size_t size) {
    std::string made;
    while (made.size() < size) made += new_request_id();
    return made.substr(0, size);
  }
  Place find_in_log(const std::string& text) {
    for (const fs::path& file : files_under(log())) {
      const size_t offset = read_file(file).find(text.substr(0, 43));
      if (offset != std::string::npos) return {file, offset};
    }
    ADD_FAILURE() << "the log does not hold '" << text << "'; is it compressed?";
    return {};
  }
  /// Every page of the list comes, and shows them all.
  void expect_listed(const std::set<std::string>& threads) {
    std::set<std::string> listed;
    pb::ListConversationsRequest request;
    request.set_page_size(50);
    do {
      const auto page = client().call(request);
      ASSERT_TRUE(page.ok()) << page.status;
      for (const auto& shown : page->conversations()) listed.insert(shown.thread_id());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    EXPECT_TRUE(std::includes(listed.begin(), listed.end(), threads.begin(), threads.end()));
  }
  /// They come out whole; if others do not, the end of the export names them.
  void expect_exported(const std::set<std::string>& threads) {
    std::map<std::string, size_t> messages;
    std::string current;
    pb::ExportConversationsRequest request;
    request.set_form(pb::TRANSFER_FORM_FULL);
    const auto stream = client().stream(request);
    for (pb::ExportConversationsResponse answer; stream->read(answer);) {
      if (answer.record().has_header()) current = answer.record().header().thread_id();
      messages[current] += static_cast<size_t>(answer.record().messages().messages_size());
    }
    const CallStatus status = stream->finish();
    for (const std::string& thread : threads) {
      EXPECT_EQ(messages[thread], expected_[thread].size()) << thread;
    }
    if (threads.size() == expected_.size()) {
      EXPECT_TRUE(status.ok()) << status;
    } else {
      EXPECT_EQ(status.reason, "EXPORT_INCOMPLETE") << status;
      EXPECT_THAT(status.metadata, Contains(testing::Key("thread_ids")));
    }
  }
  /// The first block of a file after all that was written.
  static uint64_t end_of(const fs::path& file) {
    const size_t last = read_file(file).find_last_not_of('\0');
    return last == std::string::npos ? 0 : (last / k_block + 1) * k_block;
  }

  Client& client() { return *client_; }
  CallStatus status_of(const std::string& thread) { return client().call(get(thread)).status; }
  void expect_whole(const std::string& thread) {
    EXPECT_EQ(bodies(read_all(client(), thread)), expected_[thread]) << thread;
  }
  void expect_all_whole() {
    for (const auto& [thread, texts] : expected_) expect_whole(thread);
  }
  void expect_damaged(const std::string& thread) {
    for (const CallStatus& status : {status_of(thread), client().call(append(thread, {"x"})).status,
                                     client().call(list(thread)).status}) {
      EXPECT_EQ(status.code, Code::data_loss) << thread << ": " << status;
      EXPECT_EQ(status.reason, "STORAGE_DAMAGED") << status;
      EXPECT_EQ(status.domain, "parley") << status;
    }
  }
  /// A start that must fail, saying why.
  void expect_refusal(const std::string& says) {
    ServerProcess server(options());
    const auto ending = server.wait(std::chrono::seconds(30));
    ASSERT_TRUE(ending) << "it started in spite of the damage:\n" << server.output();
    EXPECT_TRUE(ending->exit_code && *ending->exit_code != 0) << describe(*ending);
    EXPECT_THAT(server.output(), testing::ContainsRegex(says));
  }

  TempDir dir_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
  std::map<std::string, std::vector<std::string>> expected_;
};

TEST_F(LogDamage, CutsGarbageAfterTheLastFrame) {
  create_some(3);
  for (int round = 0; round < 3; ++round) {
    std::string last;
    for (int i = 0; i < 30; ++i) last = append_marked("c" + std::to_string(i % 3), 500);
    kill();
    const fs::path segment = find_in_log(last).file;
    const uint64_t end = end_of(segment);
    if (round == 0) overwrite(segment, end, noise(3000));
    if (round == 1) overwrite(segment, end, read_file(segment).substr(end - k_block, k_block / 2));
    if (round == 2) overwrite(segment, end, std::string(3 * k_block, '\xFF'));
    start();
    expect_all_whole();
    EXPECT_THAT(storage_problems(client()), IsEmpty()) << "round " << round;
  }
}

TEST_F(LogDamage, RefusesToStartWithAShortenedSegment) {
  create_some(1);
  const std::string last = append_marked("c0");
  kill();
  // Nobody can know what was in the part that is gone, for a segment is made in its full size.
  const fs::path segment = find_in_log(last).file;
  const uint64_t size = fs::file_size(segment);
  fs::resize_file(segment, end_of(segment));
  expect_refusal("shortened");
  fs::resize_file(segment, size);
  start();
  expect_all_whole();
}

TEST_F(LogDamage, CutsALastFrameThatWasNeverWhole) {
  create_some(2);
  for (int i = 0; i < 20; ++i) append_marked("c0");
  const std::string last = append_marked("c1", 3 * k_block);
  kill();
  // As if the power had gone while the frame was written: its second half never came.
  const Place place = find_in_log(last);
  overwrite(place.file, place.offset + 2 * k_block, std::string(k_block + 300, '\0'));
  expected_["c1"].pop_back();
  start();
  expect_all_whole();
  append_marked("c1");
  expect_all_whole();
  EXPECT_THAT(storage_problems(client()), IsEmpty());
}

TEST_F(LogDamage, RefusesOnlyTheConversationWhoseRecordIsDamaged) {
  create_some(5);
  std::string victim;
  for (int i = 0; i < 50; ++i) {
    const std::string text = append_marked("c" + std::to_string(i % 5), 300);
    if (i == 22) victim = text;
  }
  kill();
  const Place place = find_in_log(victim);
  flip(place.file, place.offset + 20);
  start();
  for (const std::string thread : {"c0", "c1", "c3", "c4"}) {
    expect_whole(thread);
    append_marked(thread);
  }
  expect_damaged("c2");
  EXPECT_GE(client().call(pb::GetServerInfoRequest{})->damaged_conversations(), 1);
  const auto problems = storage_problems(client());
  EXPECT_THAT(problems, Not(IsEmpty()));
  kill();
  start();
  expect_damaged("c2");
  for (const std::string thread : {"c0", "c1", "c3", "c4"}) expect_whole(thread);
  ASSERT_TRUE(client().call(erase("c2")).ok()) << "damage ends with the conversation";
  ASSERT_TRUE(client().call(create("c2")).ok());
  expected_["c2"].clear();
  append_marked("c2");
  expect_all_whole();
}

TEST_F(LogDamage, RefusesOnlyWhatADamagedBlockOfTheStoreTouches) {
  create_some(40);
  for (int i = 0; i < 800; ++i) append_marked("c" + std::to_string(i % 40), 600);
  stop();
  auto tables = files_under(store(), ".sst");
  ASSERT_THAT(tables, Not(IsEmpty())) << "nothing was flushed at the stop";
  const fs::path largest = *std::max_element(tables.begin(), tables.end(), [](auto& a, auto& b) {
    return fs::file_size(a) < fs::file_size(b);
  });
  flip(largest, fs::file_size(largest) / 3);
  start();
  int damaged = 0;
  for (const auto& [thread, texts] : expected_) {
    const auto answer = client().call(list(thread));
    if (answer.ok()) {
      EXPECT_EQ(bodies({answer->messages().begin(), answer->messages().end()}), texts) << thread;
    } else {
      ++damaged;
      EXPECT_EQ(answer.status.code, Code::data_loss) << answer.status;
      EXPECT_EQ(answer.status.reason, "STORAGE_DAMAGED") << answer.status;
    }
  }
  EXPECT_GT(damaged, 0) << "nobody noticed";
  EXPECT_LT(damaged, 40) << "all were refused for one block";
  EXPECT_THAT(storage_problems(client()), Not(IsEmpty()));
  ASSERT_TRUE(client().call(create("another")).ok());
}

TEST_F(LogDamage, ListsAndExportsAllThatCanBeReadWhicheverFileIsDamaged) {
  create_some(400);
  for (int i = 0; i < 800; ++i) append_marked("c" + std::to_string(i % 400), 600);
  stop();
  const auto tables = files_under(store(), ".sst");
  ASSERT_THAT(tables, Not(IsEmpty())) << "nothing was flushed at the stop";
  const fs::path data = dir_ / "data";
  const fs::path unhurt = dir_ / "unhurt";
  fs::copy(data, unhurt, fs::copy_options::recursive);
  for (const fs::path& table : tables) {
    fs::remove_all(data);
    fs::copy(unhurt, data, fs::copy_options::recursive);
    flip(table, fs::file_size(table) / 3);
    if (fs::file_size(table) < k_block) {
      // What the store says of itself, such as how far the log was applied.
      expect_refusal("restore a backup");
      continue;
    }
    start();
    std::set<std::string> whole;
    for (const auto& [thread, texts] : expected_) {
      const auto answer = client().call(list(thread));
      if (answer.ok()) whole.insert(thread);
    }
    EXPECT_GT(whole.size(), 0U) << "all were refused for one block of " << table;
    expect_listed(whole);
    expect_exported(whole);
    client_.reset();
    kill();
  }
}

TEST_F(LogDamage, RefusesToStartWithoutASegmentOfTheLog) {
  create_some(1);
  const std::string first = append_marked("c0", 100'000);
  for (int i = 0; i < 22; ++i) append_marked("c0", 100'000);
  kill();
  const fs::path segment = find_in_log(first).file;
  const std::string kept = read_file(segment);
  fs::remove(segment);
  expect_refusal("log|segment");
  std::ofstream(segment, std::ios::binary) << kept;
  start();
  expect_all_whole();
}

TEST_F(LogDamage, RefusesToStartWithoutTheNewestSegments) {
  create_some(1);
  for (int i = 0; i < 22; ++i) append_marked("c0", 100'000);
  const std::string last = append_marked("c0", 100'000);
  kill();
  fs::remove(find_in_log(last).file);
  expect_refusal("log|segment");
}

TEST_F(LogDamage, RefusesToStartWithoutTheLogOrTheStore) {
  create_some(1);
  // So much that the log alone does not hold all of it any more: else it would be enough to start
  // from.
  for (int i = 0; i < 120; ++i) append_marked("c0", 100'000);
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (int64_t segments = 100; segments > 5;) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "the log lets go of nothing";
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const auto info = client().call(pb::GetServerInfoRequest());
    ASSERT_TRUE(info.ok()) << info.status;
    segments = info.value.counters().at("storage.log_segments");
  }
  stop();
  for (const fs::path& folder : {log(), store(), dir_ / "data" / "IDENTITY"}) {
    SCOPED_TRACE(folder);
    fs::rename(folder, dir_ / "aside");
    expect_refusal("backup|put .* back|restore");
    fs::remove_all(folder);
    fs::rename(dir_ / "aside", folder);
  }
  start();
  expect_all_whole();
}

TEST_F(LogDamage, RefusesAnOldLogBesideANewStore) {
  create_some(1);
  append_marked("c0");
  stop();
  fs::copy(log(), dir_ / "old", fs::copy_options::recursive);
  start();
  for (int i = 0; i < 50; ++i) append_marked("c0", 50'000);
  stop();
  fs::remove_all(log());
  fs::rename(dir_ / "old", log());
  expect_refusal("log|backup");
}

}  // namespace
}  // namespace parley::test
