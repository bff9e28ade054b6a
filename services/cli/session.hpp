#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "google/protobuf/message.h"

#include "base/result.hpp"
#include "services/cli/backoff.hpp"
#include "services/cli/units.hpp"

namespace parley::cli {

inline constexpr Micros k_unary_deadline = std::chrono::seconds(30);
inline constexpr Micros k_for_ever = Micros::max();

/// Where the server is and as whom to speak to it.
struct Connection {
  std::string address = "127.0.0.1:7447";
  /// Sent as the metadata key `parley-tenant` where it is not empty.
  std::string tenant;
  /// For each call with its retries. Absent: 30 s, and none for streams.
  std::optional<Micros> deadline;
};

/// One open stream of messages, both ways where the method has it.
/// Owned by the verb; used on its thread only, nothing runs beside it. While it waits to write it
/// takes in what comes, so that neither end can block the other; the verb bounds how much that is
/// by what it leaves unanswered. An interrupt (interrupt.hpp) cancels it.
class RawStream {
 public:
  enum class Next {
    /// A message is there.
    message,
    /// Nothing came within the time allowed; read again or cancel.
    silence,
    /// There will be no more: see finish().
    ended,
  };

  virtual ~RawStream() = default;
  /// False where the stream has ended: see finish().
  virtual bool write(const google::protobuf::Message& message) = 0;
  virtual void done_writing() = 0;
  virtual Next read(std::unique_ptr<google::protobuf::Message>* message, Micros patience) = 0;
  virtual void cancel() = 0;
  /// How the call ended. Reads what is left first, and drops it.
  virtual Status finish() = 0;
};

/// A RawStream whose messages have types.
template <class Request, class Response>
class Stream {
 public:
  using Next = RawStream::Next;

  explicit Stream(std::unique_ptr<RawStream> raw) : raw_(std::move(raw)) {}
  bool write(const Request& request) { return raw_->write(request); }
  void done_writing() { raw_->done_writing(); }
  Next read(Response* response, Micros patience = k_for_ever) {
    std::unique_ptr<google::protobuf::Message> message;
    const Next next = raw_->read(&message, patience);
    if (next == Next::message) response->Swap(static_cast<Response*>(message.get()));
    return next;
  }
  void cancel() { raw_->cancel(); }
  Status finish() { return raw_->finish(); }

 private:
  std::unique_ptr<RawStream> raw_;
};

/// The calls of one run of the program to one server.
/// Owned by main, lives for the whole run; main thread only. Connects at the first call.
/// The method of a call follows from its request's type, as each method has a request of its own.
/// Not its job: to print, or to know what a call means.
class Session {
 public:
  enum class Retry {
    /// Up to three more times when the server is gone. For reads, and for changes that carry a
    /// request id.
    when_unavailable,
    never,
  };
  using Note = std::function<void(const std::string&)>;

  /// `note` is told, in a sentence, when a call is tried again.
  Session(Connection connection, Note note);
  ~Session();

  template <class Response>
  Result<Response> call(const google::protobuf::Message& request,
                        Retry retry = Retry::when_unavailable) {
    Response response;
    if (Status status = call_raw(request, &response, retry); !status.ok()) return status;
    return response;
  }

  /// Opens a stream that the server fills.
  template <class Response, class Request>
  Stream<Request, Response> open(const Request& request) {
    Stream<Request, Response> stream(
        open_raw(*Request::descriptor(), Response::default_instance()));
    if (stream.write(request)) stream.done_writing();
    return stream;
  }

  /// Opens a stream in which both sides speak.
  template <class Request, class Response>
  Stream<Request, Response> open_both_ways() {
    return Stream<Request, Response>(
        open_raw(*Request::descriptor(), Response::default_instance()));
  }

  /// After a failure for which the server is to blame (server_gone): waits for the next attempt,
  /// which is made over a new connection, but no longer than `limit`. Where the server itself
  /// refused, that is a part of the backoff, or what it asked for; where it went away, it is looked
  /// for until the backoff is over, and found as soon as it takes connections. False where an
  /// interrupt cut it short.
  bool await_server(const Status& failure, Backoff& backoff, Micros limit = k_for_ever);

  /// Up to three more attempts of one call, in the time that the call has.
  class Retries {
   public:
    explicit Retries(Session& session);
    /// After a failure of what may be repeated: waits for the server. False: that was the last one.
    bool again(const Status& failure);
    [[nodiscard]] Micros left() const;

   private:
    Session& session_;
    std::chrono::steady_clock::time_point end_;
    Backoff backoff_;
    int count_ = 0;
  };

  [[nodiscard]] const Connection& connection() const { return connection_; }

 private:
  struct Link;

  Link& link();
  void look_for_server(Micros patience);
  Status call_raw(const google::protobuf::Message& request, google::protobuf::Message* response,
                  Retry retry);
  std::unique_ptr<RawStream> open_raw(const google::protobuf::Descriptor& request,
                                      const google::protobuf::Message& response);

  Connection connection_;
  Note note_;
  std::mt19937_64 random_;
  std::unique_ptr<Link> link_;
};

/// "/parley.v1.ConversationService/GetConversation" for the descriptor of GetConversationRequest.
std::string method_path(const google::protobuf::Descriptor& request);

}  // namespace parley::cli
