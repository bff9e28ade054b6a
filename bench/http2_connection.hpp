#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "bench/caller.hpp"

namespace parley::bench {

/// One HTTP/2 connection that makes unary gRPC calls, no more of both protocols than that takes.
///
/// Owned by the light client; one thread. A call is taken for good when a message came and the
/// stream ended with trailers: our server sends no message with an error. Whatever else the peer
/// may do that we do not expect (padding, continuation, GOAWAY) ends the run.
class Http2Connection {
 public:
  Http2Connection(const std::string& host, const std::string& port);
  ~Http2Connection();
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  void start(Method method, std::string_view request, uint64_t token);
  /// Writes what waits, as far as the socket takes it.
  void flush();
  /// Reads what is there.
  void read(std::vector<Done>& done);
  [[nodiscard]] int socket() const { return socket_; }
  [[nodiscard]] bool wants_to_write() const { return written_ < out_.size(); }

 private:
  struct Call {
    uint64_t token = 0;
    size_t answer_bytes = 0;
  };
  struct Waiting {
    Method method;
    uint64_t token;
    std::string request;
  };
  struct Frame {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    std::string_view payload;
  };

  void send(Method method, std::string_view request, uint64_t token);
  void send_waiting();
  std::string header_block(Method method);
  /// A field by its place in the dynamic table, where it was put the first time.
  void add_field(size_t slot, uint8_t static_name, std::string_view name, std::string_view value,
                 std::string& block);
  void put_frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload);
  void window_update(uint32_t bytes);
  void take(const Frame& frame, std::vector<Done>& done);
  void take_data(const Frame& frame);
  void take_headers(const Frame& frame, std::vector<Done>& done);
  void take_settings(const Frame& frame);

  std::string authority_;
  int socket_ = -1;
  std::string out_;
  size_t written_ = 0;
  std::string in_;
  absl::flat_hash_map<uint32_t, Call> calls_;
  std::deque<Waiting> waiting_;
  uint32_t next_stream_ = 1;
  int64_t send_window_ = 65'535;
  int64_t stream_window_ = 65'535;  ///< of each new stream
  uint32_t received_ = 0;           ///< bytes of DATA since the last update of the window
  static constexpr size_t k_fixed_fields = 3;
  std::array<int, k_fixed_fields + k_methods> places_;  ///< order of insertion, -1 before
  int inserted_ = 0;
};

}  // namespace parley::bench
