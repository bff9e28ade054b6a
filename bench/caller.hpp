#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace parley::bench {

/// The calls that are measured.
enum class Method : uint8_t { echo, append, get };
inline constexpr size_t k_methods = 3;
const char* path_of(Method method);

/// An answered call.
struct Done {
  uint64_t token = 0;
  bool ok = false;
  size_t answer_bytes = 0;
  std::string error;  ///< where it is not ok
};

/// Makes unary calls with encoded requests, many at a time. Owned by a run; used by one thread.
/// Not its job: to know what the bytes mean.
class Caller {
 public:
  virtual ~Caller() = default;
  /// Begins a call. Nothing need be sent before the next `poll`.
  virtual void start(Method method, std::string_view request, uint64_t token) = 0;
  /// Sends what waits, waits at most `patience` for an answer, adds all that came to `done`.
  virtual void poll(std::chrono::nanoseconds patience, std::vector<Done>& done) = 0;
};

/// `light`: HTTP/2 by hand, a few microseconds a call. `grpc`: the ordinary C++ client.
enum class ClientKind : uint8_t { light, grpc };

/// `address`: host:port. Waits until connected; fails where that takes longer than a few seconds.
std::unique_ptr<Caller> connect(ClientKind kind, const std::string& address, int connections);
std::unique_ptr<Caller> connect_light(const std::string& address, int connections);
std::unique_ptr<Caller> connect_grpc(const std::string& address, int connections);

}  // namespace parley::bench
