#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storage/postgres/connection.hpp"

namespace parley::postgres {

/// Sessions for what may be carried out twice: reads, and changes that make no difference the
/// second time.
///
/// Owned by a journal. Any thread, which waits where all are lent. Bounded: so many sessions are
/// open at most. Where one broke, what ran on it is run again on another. Where the database is
/// said to be away nobody waits for it.
class SessionPool {
 public:
  /// `away`: whether the database is, as somebody else knows; null where nobody does.
  SessionPool(ConnectionOptions options, size_t sessions_max, const std::atomic<bool>* away)
      : options_(std::move(options)), sessions_max_(sessions_max), away_(away) {}

  /// Errors as Connection::run says them, but never UNKNOWN.
  Result<Rows> run(const char* sql, const Parameters& parameters);

 private:
  Result<std::unique_ptr<Connection>> take();
  void give_back(std::unique_ptr<Connection> session);

  const ConnectionOptions options_;
  const size_t sessions_max_;
  const std::atomic<bool>* const away_;
  std::mutex mutex_;  ///< guards all below
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Connection>> idle_;
  size_t lent_ = 0;
};

}  // namespace parley::postgres
