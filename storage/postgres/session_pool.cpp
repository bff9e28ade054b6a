#include "storage/postgres/session_pool.hpp"

#include <utility>

#include "absl/strings/str_cat.h"

namespace parley::postgres {
namespace {

/// A database that restarts breaks all sessions at once: each is met idle, and then one is fresh.
constexpr int k_tries = 8;

}  // namespace

Result<std::unique_ptr<Connection>> SessionPool::take() {
  {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return lent_ < sessions_max_; });
    ++lent_;
    if (!idle_.empty()) {
      auto session = std::move(idle_.back());
      idle_.pop_back();
      return session;
    }
  }
  auto opened = Connection::open(options_);
  if (!opened.ok()) give_back(nullptr);
  return opened;
}

void SessionPool::give_back(std::unique_ptr<Connection> session) {
  {
    const std::lock_guard lock(mutex_);
    --lent_;
    if (session && !session->broken()) idle_.push_back(std::move(session));
  }
  returned_.notify_one();
}

Result<Rows> SessionPool::run(const char* sql, const Parameters& parameters) {
  Status why;
  for (int i = 0; i < k_tries; ++i) {
    if (away_ != nullptr && *away_) {
      return absl::UnavailableError(
          absl::StrCat("the database at ", shown_url(options_.url), " does not answer; try again"));
    }
    auto session = take();
    if (!session.ok()) return session.status();
    auto rows = (*session)->run(sql, parameters);
    const bool gone = (*session)->broken();
    // A server that may not do it any more: the next session is another one's.
    const bool of_no_use = absl::IsFailedPrecondition(rows.status());
    give_back(of_no_use ? nullptr : *std::move(session));
    if (rows.ok()) return rows;
    why = rows.status();
    if (!absl::IsAborted(why) && !(gone || absl::IsUnknown(why))) return why;
  }
  return absl::UnavailableError(why.message());
}

}  // namespace parley::postgres
