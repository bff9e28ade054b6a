#include <memory>
#include <poll.h>
#include <string>
#include <time.h>
#include <vector>

#include "bench/caller.hpp"
#include "bench/http2_connection.hpp"

namespace parley::bench {
namespace {

/// The light client: calls spread over a few connections, all served by the calling thread.
class LightClient final : public Caller {
 public:
  LightClient(const std::string& address, int connections) {
    const size_t colon = address.rfind(':');
    for (int i = 0; i < connections; ++i) {
      connections_.push_back(
          std::make_unique<Http2Connection>(address.substr(0, colon), address.substr(colon + 1)));
    }
  }

  void start(Method method, std::string_view request, uint64_t token) override {
    connections_[next_]->start(method, request, token);
    next_ = (next_ + 1) % connections_.size();
  }

  void poll(std::chrono::nanoseconds patience, std::vector<Done>& done) override {
    sockets_.clear();
    for (const auto& connection : connections_) {
      connection->flush();
      const int events = POLLIN | (connection->wants_to_write() ? POLLOUT : 0);
      sockets_.push_back({connection->socket(), static_cast<short>(events), 0});
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
    const timespec wait{seconds.count(), (patience - seconds).count()};
    if (ppoll(sockets_.data(), sockets_.size(), &wait, nullptr) <= 0) return;
    for (size_t i = 0; i < sockets_.size(); ++i) {
      if ((sockets_[i].revents & ~POLLOUT) != 0) connections_[i]->read(done);
    }
  }

 private:
  std::vector<std::unique_ptr<Http2Connection>> connections_;
  std::vector<pollfd> sockets_;
  size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Caller> connect_light(const std::string& address, int connections) {
  return std::make_unique<LightClient>(address, connections);
}

}  // namespace parley::bench
