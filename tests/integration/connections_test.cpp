#include <arpa/inet.h>
#include <iostream>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/client.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/server_process.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t k_open_files = 12'000;
constexpr int64_t k_mib = 1 << 20;
#ifdef PARLEY_SANITIZED
constexpr int k_connections = 1000;
constexpr int k_real_channels = 20;
constexpr int64_t k_bytes_per_connection = 256 << 10;
#else
constexpr int k_connections = 5000;
constexpr int k_real_channels = 100;
constexpr int64_t k_bytes_per_connection = 64 << 10;
#endif

bool raise_open_files() {
  rlimit bound{};
  getrlimit(RLIMIT_NOFILE, &bound);
  bound.rlim_cur = std::max<rlim_t>(bound.rlim_cur, k_open_files);
  bound.rlim_max = std::max<rlim_t>(bound.rlim_max, k_open_files);
  return setrlimit(RLIMIT_NOFILE, &bound) == 0;
}

/// A connection that says as much as it is told to, and then nothing.
class IdleConnection {
 public:
  IdleConnection(const std::string& address, const std::string& says) {
    file_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    connected_ =
        connect(file_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0 &&
        send(file_, says.data(), says.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(says.size());
  }
  IdleConnection(IdleConnection&& other) noexcept
      : file_(std::exchange(other.file_, -1)), connected_(other.connected_) {}
  ~IdleConnection() {
    if (file_ >= 0) close(file_);
  }
  [[nodiscard]] bool connected() const { return connected_; }

 private:
  int file_ = -1;
  bool connected_ = false;
};

const std::string k_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const std::string k_empty_settings = std::string("\0\0\0\4\0\0\0\0\0", 9);

TEST(Connections, ThousandsOfIdleOnesHurtNobody) {
  if (!raise_open_files()) GTEST_SKIP() << "needs " << k_open_files << " open files (ulimit -n)";
  const TempDir dir;
  const auto server = start_server({.data_dir = dir / "data", .open_files = k_open_files});
  Client good(server->address());
  ASSERT_TRUE(good.call(create("c")).ok());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(good.call(append("c", {"x"})).ok());
  const int64_t before = server->resident_bytes();
  std::vector<IdleConnection> idle;
  for (int i = 0; i < k_connections; ++i) {
    // Some stop in the middle of the preface, as a slow or hostile caller does.
    const std::string says = i % 20 == 0 ? k_preface.substr(0, 10) : k_preface + k_empty_settings;
    idle.emplace_back(server->address(), says);
    ASSERT_TRUE(idle.back().connected()) << "connection " << i;
    if (i % 100 != 0) continue;
    ASSERT_TRUE(good.call(append("c", {"while they come"})).ok()) << i;
  }
  std::vector<std::unique_ptr<Client>> channels;
  for (int i = 0; i < k_real_channels; ++i) {
    channels.push_back(std::make_unique<Client>(server->address()));
    ASSERT_TRUE(channels.back()->call(get("c")).ok());
  }
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(good.call(append("c", {"meanwhile"})).ok());
  const int64_t grown = server->resident_bytes() - before;
  std::cout << idle.size() + channels.size() << " connections: resident memory grew by "
            << grown / k_mib << " MiB\n";
  EXPECT_LT(grown, k_bytes_per_connection * static_cast<int64_t>(idle.size() + channels.size()));
  idle.clear();
  channels.clear();
  Client late(server->address());
  ASSERT_TRUE(late.call(append("c", {"after they left"})).ok());
  EXPECT_EQ(server->stop(), Ending{.exit_code = 0}) << server->output();
}

TEST(Connections, StopInTimeWithIdleOnesThere) {
  const TempDir dir;
  const auto server = start_server({.data_dir = dir / "data"});
  std::vector<IdleConnection> idle;
  for (int i = 0; i < 50; ++i) idle.emplace_back(server->address(), k_preface + k_empty_settings);
  EXPECT_EQ(server->stop(seconds(15)), Ending{.exit_code = 0}) << server->output();
}

/// Appends this much in messages of half a megabyte.
int64_t append_bytes(Client& client, const std::string& thread, int64_t bytes) {
  constexpr size_t k_message = 500'000;
  int64_t version = 0;
  for (int64_t done = 0; done < bytes; done += k_message) {
    std::string text = new_request_id();
    while (text.size() < k_message) text += new_request_id();
    const auto answer = client.call(append(thread, {text}));
    EXPECT_TRUE(answer.ok()) << answer.status;
    version = answer->version();
  }
  return version;
}

int64_t watch_streams(Client& client) {
  return client.call(pb::GetServerInfoRequest{})->watch_streams();
}

TEST(Connections, AWatcherThatNeverReadsIsCutOffAndHurtsNobody) {
  const TempDir dir;
  const auto server = start_server({.data_dir = dir / "data",
                                    .flags = {"--watch-stall-timeout", "2", "--memory-budget",
                                              "64MB", "--log-segment", "16MB"}});
  Client client(server->address());
  Client stuck_client(server->address());
  Client reading_client(server->address());
  ASSERT_TRUE(client.call(create("c")).ok());
  // Why first: what the log and the store take for themselves is not the watcher's doing.
  ASSERT_TRUE(client.call(create("warm-up")).ok());
  append_bytes(client, "warm-up", 50 * k_mib);
  const auto stuck = stuck_client.stream(watch("c"), {.timeout = std::chrono::minutes(3)});
  const auto reading = reading_client.stream(watch("c"), {.timeout = std::chrono::minutes(3)});
  pb::WatchConversationResponse event;
  ASSERT_TRUE(next_event(*reading, event));
  const int64_t before = server->resident_bytes();
  int64_t last_read = event.version();
  std::thread reader([&] {
    pb::WatchConversationResponse next;
    while (last_read < 106 && next_event(*reading, next)) {
      EXPECT_EQ(next.version(), last_read + 1);
      last_read = next.version();
    }
  });
  const int64_t version = append_bytes(client, "c", 105 * 500'000);
  reader.join();
  EXPECT_EQ(last_read, version) << "the other watcher was held up: " << reading->finish();
  const int64_t grown = server->resident_bytes_max() - before;
  std::cout << "a stuck watcher and 50 MB: resident memory grew by at most " << grown / k_mib
            << " MiB\n";
  EXPECT_LT(grown, 100 * k_mib);
  const auto give_up = std::chrono::steady_clock::now() + seconds(20);
  while (watch_streams(client) > 1 && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(milliseconds(20));
  }
  EXPECT_LE(watch_streams(client), 1) << "the stuck watcher was not cut off";
  int64_t seen = 0;
  while (next_event(*stuck, event)) seen = event.version();
  const CallStatus status = stuck->finish();
  EXPECT_TRUE(status.code == Code::resource_exhausted || status.code == Code::cancelled) << status;
  const auto resumed = stuck_client.stream(watch("c", seen));
  ASSERT_TRUE(next_event(*resumed, event));
  EXPECT_EQ(event.version(), seen + 1);
}

TEST(Connections, AWatcherThatReadsTooSlowlyIsToldWhereToResume) {
  const TempDir dir;
  const auto server =
      start_server({.data_dir = dir / "data", .flags = {"--watch-stall-timeout", "1"}});
  Client client(server->address());
  Client slow_client(server->address());
  ASSERT_TRUE(client.call(create("c")).ok());
  const auto slow = slow_client.stream(watch("c"), {.timeout = std::chrono::minutes(1)});
  const int64_t version = append_bytes(client, "c", 10 * k_mib);
  // Why: not reading is the fault; it is shorter than what makes the server tear the stream down.
  std::this_thread::sleep_for(milliseconds(3500));
  int64_t seen = 0;
  pb::WatchConversationResponse event;
  while (next_event(*slow, event)) {
    EXPECT_EQ(event.version(), seen + 1);
    seen = event.version();
  }
  const CallStatus status = slow->finish();
  EXPECT_EQ(status.code, Code::resource_exhausted) << status;
  EXPECT_EQ(status.reason, "WATCHER_TOO_SLOW") << status;
  ASSERT_TRUE(status.metadata.contains("resume_version")) << status;
  EXPECT_EQ(status.metadata.at("resume_version"), std::to_string(seen))
      << "whoever resumes there sees an event twice, or misses one";
  const auto resumed = slow_client.stream(watch("c", seen), {.timeout = std::chrono::minutes(1)});
  for (; seen < version; ++seen) {
    ASSERT_TRUE(next_event(*resumed, event));
    ASSERT_EQ(event.version(), seen + 1);
  }
}

}  // namespace
}  // namespace parley::test
