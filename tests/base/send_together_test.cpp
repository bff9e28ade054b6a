#include "base/send_together.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

namespace parley {
namespace {

/// A TCP connection within this process, set up as gRPC does.
class Connection {
 public:
  Connection() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t bytes = sizeof address;
    EXPECT_EQ(bind(listener, generic, bytes), 0);
    EXPECT_EQ(listen(listener, 1), 0);
    EXPECT_EQ(getsockname(listener, generic, &bytes), 0);
    near_ = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(connect(near_, generic, bytes), 0);
    far_ = accept(listener, nullptr, nullptr);
    EXPECT_GE(far_, 0);
    close(listener);
    const int on = 1;
    EXPECT_EQ(setsockopt(near_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
  }
  ~Connection() {
    close(near_);
    close(far_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void send(std::string text) const {
    iovec piece{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    EXPECT_EQ(sendmsg(near_, &message, MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  /// What has come by now, or comes within `wait_ms`; empty if nothing does.
  [[nodiscard]] std::string receive(int wait_ms) const {
    pollfd ready{far_, POLLIN, 0};
    if (poll(&ready, 1, wait_ms) <= 0) return {};
    std::array<char, 4096> bytes{};
    const ssize_t got = recv(far_, bytes.data(), bytes.size(), 0);
    return {bytes.data(), static_cast<size_t>(std::max<ssize_t>(got, 0))};
  }

 private:
  int near_ = -1;
  int far_ = -1;
};

constexpr int k_soon_ms = 5'000;

TEST(SendTogether, SendsAtItsEndWhatWasSentMeanwhile) {
  const Connection one;
  const Connection other;
  {
    const SendTogether together;
    one.send("a");
    other.send("x");
    one.send("b");
    one.send("c");
    EXPECT_EQ(one.receive(0), "");
    EXPECT_EQ(other.receive(0), "");
  }
  EXPECT_EQ(one.receive(k_soon_ms), "abc") << "in one piece";
  EXPECT_EQ(other.receive(k_soon_ms), "x");
}

TEST(SendTogether, LeavesOthersAlone) {
  const Connection connection;
  connection.send("before");
  EXPECT_EQ(connection.receive(k_soon_ms), "before");
  const Connection of_another_thread;
  {
    const SendTogether together;
    std::thread([&] { of_another_thread.send("at once"); }).join();
    EXPECT_EQ(of_another_thread.receive(k_soon_ms), "at once");
  }
  connection.send("after");
  EXPECT_EQ(connection.receive(k_soon_ms), "after");
}

TEST(SendTogether, SendsAtOnceWhilePausedInOrder) {
  const Connection connection;
  {
    const SendTogether together;
    connection.send("a");
    {
      const SendTogether::Pause pause;
      connection.send("b");
      EXPECT_EQ(connection.receive(k_soon_ms), "ab");
    }
    connection.send("c");
    EXPECT_EQ(connection.receive(0), "");
  }
  EXPECT_EQ(connection.receive(k_soon_ms), "c");
}

TEST(SendTogether, DoesNotMindWhatIsNoTcpConnection) {
  std::array<int, 2> pair{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
  {
    SendTogether together;
    together.hold(pair[0]);
    together.hold(-1);
  }
  close(pair[0]);
  close(pair[1]);
}

}  // namespace
}  // namespace parley
