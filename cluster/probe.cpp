#include "cluster/probe.hpp"

#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace parley {
namespace {

bool connects(const addrinfo& to, std::chrono::milliseconds timeout) {
  const int socket_number =
      socket(to.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, to.ai_protocol);
  if (socket_number < 0) return false;
  bool connected = connect(socket_number, to.ai_addr, to.ai_addrlen) == 0;
  if (!connected && errno == EINPROGRESS) {
    pollfd waiting{socket_number, POLLOUT, 0};
    int error = 0;
    socklen_t size = sizeof(error);
    connected = poll(&waiting, 1, static_cast<int>(timeout.count())) == 1 &&
                getsockopt(socket_number, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  }
  close(socket_number);
  return connected;
}

}  // namespace

bool answers_connections(const std::string& host, uint16_t port,
                         std::chrono::milliseconds timeout) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found) != 0) return false;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> all(found, &freeaddrinfo);
  for (const addrinfo* one = all.get(); one != nullptr; one = one->ai_next) {
    if (connects(*one, timeout)) return true;
  }
  return false;
}

}  // namespace parley
