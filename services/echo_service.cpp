#include "services/echo_service.hpp"

#include <algorithm>
#include <optional>

#include "base/send_together.hpp"

namespace parley {
namespace {

constexpr int k_waiting = 64;
constexpr int32_t k_answer_bytes_max = 4 << 20;

}  // namespace

void EchoService::serve(CallQueue& queue) {
  using Call = Rpc<EchoRpcs, bench::v1::EchoRequest>;
  const auto echo = [](UnaryCall<bench::v1::EchoRequest>* rpc) {
    bench::v1::EchoResponse response;
    const int32_t bytes = std::clamp(rpc->request.answer_bytes(), 0, k_answer_bytes_max);
    response.mutable_payload()->assign(static_cast<size_t>(bytes), 'x');
    std::optional<SendTogether::Pause> pause;
    if (rpc->request.apart()) pause.emplace();
    rpc->finish_message(response);
  };
  auto method = std::make_shared<Call::Method>(
      Call::Method{rpcs_, &EchoRpcs::RequestEcho, echo, calls_, traffic_});
  methods_.push_back(method);
  for (int i = 0; i < k_waiting; ++i) Call::await(*method, queue);
}

}  // namespace parley
