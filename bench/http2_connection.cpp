#include "bench/http2_connection.hpp"

#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/failure.hpp"

namespace parley::bench {
namespace {

// RFC 9113, section 6.
constexpr uint8_t k_data = 0, k_headers = 1, k_reset = 3, k_settings = 4, k_ping = 6, k_go_away = 7,
                  k_window_update = 8;
constexpr uint8_t k_end_stream = 1, k_ack = 1, k_end_headers = 4, k_padded = 8, k_priority = 32;
constexpr uint16_t k_initial_window_size = 4;
constexpr size_t k_frame_head = 9;
constexpr size_t k_frame_bytes_max = 16'384;
constexpr size_t k_message_head = 5;
constexpr uint32_t k_window = 0x7fffffff;
constexpr uint32_t k_window_step = 1U << 22;
constexpr size_t k_read_bytes = 256U << 10;

void put32(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

uint32_t get32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = (value << 8) | static_cast<uint8_t>(bytes[i]);
  return value;
}

/// What a person can read of a header block: gRPC sends error texts as they are.
std::string readable(std::string_view block) {
  std::string text;
  for (const char c : block) {
    if (c >= ' ' && c <= '~') text.push_back(c);
  }
  return text;
}

int connect_socket(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) fail("cannot resolve " + host);
  const int made = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = made >= 0 && ::connect(made, found->ai_addr, found->ai_addrlen) == 0;
  freeaddrinfo(found);
  if (!connected) fail("cannot connect to " + host + ":" + port + ": " + std::strerror(errno));
  const int on = 1;
  setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return made;
}

}  // namespace

Http2Connection::Http2Connection(const std::string& host, const std::string& port)
    : authority_(host + ":" + port), socket_(connect_socket(host, port)) {
  places_.fill(-1);
  out_ = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  std::string settings{'\0', static_cast<char>(k_initial_window_size)};
  put32(settings, k_window);
  put_frame(k_settings, 0, 0, settings);
  window_update(k_window - 65'535);
}

Http2Connection::~Http2Connection() { close(socket_); }

void Http2Connection::start(Method method, std::string_view request, uint64_t token) {
  const auto bytes = static_cast<int64_t>(request.size() + k_message_head);
  if (bytes > stream_window_) fail("a request larger than a stream's window: use --client grpc");
  if (!waiting_.empty() || bytes > send_window_) {
    waiting_.push_back({method, token, std::string(request)});
  } else {
    send(method, request, token);
  }
}

void Http2Connection::send(Method method, std::string_view request, uint64_t token) {
  const uint32_t stream = next_stream_;
  next_stream_ += 2;
  calls_[stream] = {token, 0};
  put_frame(k_headers, k_end_headers, stream, header_block(method));
  std::string message(1, '\0');
  put32(message, static_cast<uint32_t>(request.size()));
  message.append(request);
  send_window_ -= static_cast<int64_t>(message.size());
  std::string_view rest = message;
  while (rest.size() > k_frame_bytes_max) {
    put_frame(k_data, 0, stream, rest.substr(0, k_frame_bytes_max));
    rest.remove_prefix(k_frame_bytes_max);
  }
  put_frame(k_data, k_end_stream, stream, rest);
}

void Http2Connection::send_waiting() {
  while (!waiting_.empty()) {
    const Waiting& next = waiting_.front();
    if (static_cast<int64_t>(next.request.size() + k_message_head) > send_window_) return;
    send(next.method, next.request, next.token);
    waiting_.pop_front();
  }
}

std::string Http2Connection::header_block(Method method) {
  std::string block{static_cast<char>(0x83),
                    static_cast<char>(0x86)};  // :method POST, :scheme http
  add_field(k_fixed_fields + static_cast<size_t>(method), 4, ":path", path_of(method), block);
  add_field(0, 1, ":authority", authority_, block);
  add_field(1, 0, "te", "trailers", block);
  add_field(2, 31, "content-type", "application/grpc", block);
  return block;
}

void Http2Connection::add_field(size_t slot, uint8_t static_name, std::string_view name,
                                std::string_view value, std::string& block) {
  if (places_[slot] >= 0) {  // RFC 7541, 2.3.3: the newest entry has the index 62
    block.push_back(static_cast<char>(0x80 | (62 + inserted_ - 1 - places_[slot])));
    return;
  }
  places_[slot] = inserted_++;
  block.push_back(static_cast<char>(0x40 | static_name));
  if (static_name == 0) {
    block.push_back(static_cast<char>(name.size()));
    block.append(name);
  }
  block.push_back(static_cast<char>(value.size()));
  block.append(value);
}

void Http2Connection::put_frame(uint8_t type, uint8_t flags, uint32_t stream,
                                std::string_view payload) {
  const auto bytes = static_cast<uint32_t>(payload.size());
  for (int shift = 16; shift >= 0; shift -= 8) out_.push_back(static_cast<char>(bytes >> shift));
  out_.push_back(static_cast<char>(type));
  out_.push_back(static_cast<char>(flags));
  put32(out_, stream);
  out_.append(payload);
}

void Http2Connection::window_update(uint32_t bytes) {
  std::string payload;
  put32(payload, bytes);
  put_frame(k_window_update, 0, 0, payload);
}

void Http2Connection::flush() {
  while (wants_to_write()) {
    const ssize_t sent = ::send(socket_, out_.data() + written_, out_.size() - written_,
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (sent < 0) fail(std::string("the connection broke: ") + std::strerror(errno));
    written_ += static_cast<size_t>(sent);
  }
  out_.clear();
  written_ = 0;
}

void Http2Connection::read(std::vector<Done>& done) {
  const size_t before = in_.size();
  in_.resize(before + k_read_bytes);
  const ssize_t got = recv(socket_, in_.data() + before, k_read_bytes, MSG_DONTWAIT);
  in_.resize(before + static_cast<size_t>(std::max<ssize_t>(0, got)));
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) fail("the server closed the connection");
  std::string_view rest = in_;
  while (rest.size() >= k_frame_head) {
    const size_t bytes = get32(rest) >> 8;
    if (rest.size() < k_frame_head + bytes) break;
    take({static_cast<uint8_t>(rest[3]), static_cast<uint8_t>(rest[4]),
          get32(rest.substr(5)) & 0x7fffffff, rest.substr(k_frame_head, bytes)},
         done);
    rest.remove_prefix(k_frame_head + bytes);
  }
  in_.erase(0, in_.size() - rest.size());
  if (received_ >= k_window_step) {
    window_update(received_);
    received_ = 0;
  }
}

void Http2Connection::take(const Frame& frame, std::vector<Done>& done) {
  switch (frame.type) {
    case k_data:
      return take_data(frame);
    case k_headers:
      return take_headers(frame, done);
    case k_settings:
      return take_settings(frame);
    case k_ping:
      if ((frame.flags & k_ack) == 0) put_frame(k_ping, k_ack, 0, frame.payload);
      return;
    case k_window_update:
      if (frame.stream == 0) send_window_ += get32(frame.payload) & 0x7fffffff;
      return send_waiting();
    case k_reset:
      // Why nothing for an ended stream: a server may reset one after its trailers.
      if (calls_.contains(frame.stream)) fail("the server reset a call");
      return;
    case k_go_away:
      fail("the server said GOAWAY: " + readable(frame.payload));
    default:
      fail("an unexpected HTTP/2 frame of type " + std::to_string(frame.type));
  }
}

void Http2Connection::take_data(const Frame& frame) {
  if ((frame.flags & k_padded) != 0) fail("padded DATA is not understood");
  received_ += static_cast<uint32_t>(frame.payload.size());
  const auto call = calls_.find(frame.stream);
  if (call != calls_.end()) call->second.answer_bytes += frame.payload.size();
}

void Http2Connection::take_headers(const Frame& frame, std::vector<Done>& done) {
  if ((frame.flags & (k_padded | k_priority)) != 0 || (frame.flags & k_end_headers) == 0) {
    fail("HEADERS in a form that is not understood: " + readable(frame.payload));
  }
  if ((frame.flags & k_end_stream) == 0) return;
  const auto call = calls_.find(frame.stream);
  if (call == calls_.end()) return;
  const bool ok = call->second.answer_bytes >= k_message_head;
  done.push_back({call->second.token, ok, ok ? call->second.answer_bytes - k_message_head : 0,
                  ok ? std::string() : readable(frame.payload)});
  calls_.erase(call);
}

void Http2Connection::take_settings(const Frame& frame) {
  if ((frame.flags & k_ack) != 0) return;
  for (std::string_view rest = frame.payload; rest.size() >= 6; rest.remove_prefix(6)) {
    if (get32(rest) >> 16 == k_initial_window_size) stream_window_ = get32(rest.substr(2));
  }
  put_frame(k_settings, k_ack, 0, {});
}

}  // namespace parley::bench
