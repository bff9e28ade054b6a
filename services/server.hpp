#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "services/config.hpp"

namespace parley {

/// A whole server in one process: storage, actors, queues, services. The composition root.
///
/// Made, run and destroyed by one thread. Signals are the program's affair (services/main.cpp).
class Server {
 public:
  /// Opens storage and begins to serve. The error says what to do.
  static Result<std::unique_ptr<Server>> start(const Config& config);
  virtual ~Server() = default;

  [[nodiscard]] virtual int port() const = 0;

  /// Stops in order: health says NOT_SERVING, streams end with their resume position, calls finish
  /// within the drain timeout, conversations are put away with snapshots, storage closes.
  virtual void drain_and_stop() = 0;
};

}  // namespace parley
