#include "base/send_together.hpp"

#include <algorithm>
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

#include "base/check.hpp"

namespace parley {
namespace {

thread_local SendTogether* running = nullptr;

}  // namespace

SendTogether::SendTogether() {
  PARLEY_CHECK(running == nullptr);
  running = this;
}

SendTogether::~SendTogether() {
  running = nullptr;
  for (const int socket : sockets_) {
    // Sends what is held back (tcp(7)); gRPC has set it before. Why an error does not matter: a
    // connection that was closed meanwhile has sent everything by that.
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
}

void SendTogether::hold(int socket) {
  if (std::find(sockets_.begin(), sockets_.end(), socket) != sockets_.end()) return;
  sockets_.push_back(socket);
}

SendTogether* SendTogether::here() { return running; }

SendTogether::Pause::Pause() : paused_(std::exchange(running, nullptr)) {}
SendTogether::Pause::~Pause() { running = paused_; }

}  // namespace parley

/// In place of the C library's, for gRPC too.
extern "C" ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  using Send = ssize_t (*)(int, const msghdr*, int);
  static const auto send = reinterpret_cast<Send>(dlsym(RTLD_NEXT, "sendmsg"));
  if (auto* together = parley::SendTogether::here()) {
    together->hold(socket);
    flags |= MSG_MORE;
  }
  return send(socket, message, flags);
}
