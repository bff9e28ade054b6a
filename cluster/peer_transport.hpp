#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/time.hpp"
#include "cluster/ring.hpp"

/// How nodes talk to each other, whatever carries it.
namespace parley {

/// A call for another node to carry out.
struct PeerRequest {
  std::string method;  ///< name of a public method, or one of the cluster's own
  std::string tenant;
  std::string body;               ///< the request, encoded
  int64_t timeout_micros = 0;     ///< left when it is sent
  bool letter = false;            ///< said again where it is lost: takes no room from calls
  std::string trace_parent = {};  ///< of the client's trace (W3C Trace Context), or empty
};

/// How a call ended that a node carried out.
struct PeerAnswer {
  int code = 0;  ///< of gRPC; 0 is OK
  std::string message;
  std::string details;  ///< google.rpc.Status, encoded; may be empty
  std::string body;     ///< the answer, encoded, where OK
  bool replayed = false;
};

/// Why there is no answer.
enum class PeerFailure : uint8_t {
  not_sent,    ///< no connection: certainly not carried out
  overloaded,  ///< too much is under way to that node: certainly not carried out
  lost,        ///< sent, and the connection broke: carried out or not
  timed_out,   ///< sent, and no answer in time: carried out or not
};

/// Told once how a request ended, on any thread; must not block. May delete itself.
class PeerWaiter {
 public:
  virtual ~PeerWaiter() = default;
  virtual void answered(PeerAnswer answer) = 0;
  virtual void failed(PeerFailure failure) = 0;
};

/// Carries out what other nodes ask for. Any thread; must not block.
class PeerServer {
 public:
  /// To be called once, on any thread. The answer is lost where the connection broke meanwhile.
  using Reply = std::function<void(PeerAnswer)>;

  virtual ~PeerServer() = default;
  /// A connection to that node stands now.
  virtual void linked(const NodeName&) {}
  virtual void serve(const NodeName& from, PeerRequest request, Reply reply) = 0;
};

/// Sends requests to the other nodes. What is sent may arrive late or never, but not twice.
class PeerTransport {
 public:
  virtual ~PeerTransport() = default;
  /// Never blocks. `waiter` outlives the request; it may be told before this returns.
  virtual void ask(const NodeName& to, PeerRequest request, PeerWaiter* waiter) = 0;
  /// Another number with each connection; 0 while there is none.
  [[nodiscard]] virtual uint64_t session(const NodeName& to) const = 0;
};

}  // namespace parley
