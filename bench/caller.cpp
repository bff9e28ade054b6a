#include "bench/caller.hpp"

#include <csignal>

#include "bench/failure.hpp"

namespace parley::bench {
namespace {

volatile std::sig_atomic_t interrupted = 0;

}  // namespace

void catch_interrupts() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    std::signal(number, [](int) { interrupted = 1; });
  }
}

void stop_if_interrupted() {
  if (interrupted != 0) fail("interrupted");
}

const char* path_of(Method method) {
  switch (method) {
    case Method::echo:
      return "/parley.bench.v1.EchoService/Echo";
    case Method::append:
      return "/parley.v1.ConversationService/AppendMessages";
    case Method::get:
      return "/parley.v1.ConversationService/GetConversation";
  }
  return "";
}

std::unique_ptr<Caller> connect(ClientKind kind, const std::string& address, int connections) {
  return kind == ClientKind::light ? connect_light(address, connections)
                                   : connect_grpc(address, connections);
}

}  // namespace parley::bench
