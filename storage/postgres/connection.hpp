#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "storage/postgres/parameters.hpp"

struct pg_conn;
struct pg_result;

namespace parley::postgres {

struct Server;

/// What a statement gave. Owns it; one thread.
class Rows {
 public:
  explicit Rows(pg_result* result);

  [[nodiscard]] int count() const;
  [[nodiscard]] bool is_null(int row, int column) const;
  [[nodiscard]] bool boolean(int row, int column) const;
  [[nodiscard]] int64_t number(int row, int column) const;  ///< int4 or int8
  [[nodiscard]] std::string_view bytes(int row, int column) const;
  [[nodiscard]] std::string text(int row, int column) const {
    return std::string(bytes(row, column));
  }
  [[nodiscard]] WallTime time(int row, int column) const;
  [[nodiscard]] Id128 uuid(int row, int column) const {
    return Id128::from_bytes(bytes(row, column));
  }
  /// The elements of an array without nulls; none where the column is null.
  [[nodiscard]] std::vector<std::string_view> array(int row, int column) const;

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

struct ConnectionOptions {
  /// postgres://..., or key=value pairs as libpq knows them. It may name several servers, of which
  /// the one that writes is meant, unless its target_session_attrs says otherwise.
  std::string url;
  std::chrono::milliseconds connect_max{5'000};  ///< of all servers together
  /// The server gives a statement up after this; this side waits a little longer, then closes.
  std::chrono::milliseconds statement_max{10'000};
  std::chrono::milliseconds lock_max{5'000};
  /// The server that answered last, which is asked first: of all copies of these options.
  std::shared_ptr<std::atomic<size_t>> preferred = std::make_shared<std::atomic<size_t>>(0);
};

/// A session of a PostgreSQL server.
///
/// Owned by whoever uses it, one thread at a time, which waits for the server but never longer than
/// the options say.
///
/// What errors say of a statement: UNKNOWN, it may have been carried out; every other, it was not:
/// UNAVAILABLE, the server could not be reached or is about to go; ABORTED, it collided and may be
/// tried again; DEADLINE_EXCEEDED, the server gave it up; RESOURCE_EXHAUSTED; FAILED_PRECONDITION,
/// the server is not what it must be (it only reads, lacks the schema, refuses the user); INTERNAL,
/// the statement is wrong.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const ConnectionOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// One statement, in a transaction of its own.
  Result<Rows> run(const char* sql, const Parameters& parameters = {});
  /// Sends one statement behind those that are under way, in a transaction of its own, and does not
  /// wait: `finish` gives its answer. Until all of these were given, nothing else may be run.
  Status begin(const char* sql, const Parameters& parameters);
  /// The answer to the statement that was begun first, of those that are under way.
  Result<Rows> finish();
  /// Statements without parameters, as one transaction.
  Status run_all(const std::string& sql);
  /// Nothing can be run any more.
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  using Clock = std::chrono::steady_clock;

  explicit Connection(ConnectionOptions options) : options_(std::move(options)) {}
  /// One server after the other, so that one that is silent does not hide the next.
  Status connect();
  Status connect_to(const Server& server, Clock::time_point until);
  Status prepare_session();
  /// What an idle session was told: that the server goes.
  Status look_alive();
  Status send(bool sent, Clock::time_point until);
  Status send(const char* sql, const Parameters& parameters, Clock::time_point until);
  Result<Rows> receive(Clock::time_point until);
  /// Until the server has ended the transaction of a statement that was begun.
  Result<Rows> receive_begun(Clock::time_point until);
  /// The next result of any; null where the statement has no more of them.
  Result<pg_result*> next_result(Clock::time_point until);
  bool wait(short events, Clock::time_point until) const;
  Status lost(bool after_sending);
  static void note(void* self, const pg_result* notice);

  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  const ConnectionOptions options_;
  std::unique_ptr<pg_conn, Finish> connection_;
  bool broken_ = false;
  bool warned_ = false;  ///< while the statement at hand ran
  int under_way_ = 0;    ///< begun and not finished
};

/// A connection that is opened again where it broke, and where its server is not the one that
/// writes: another one may be by now.
///
/// Owned by whoever uses it; one thread.
class Session {
 public:
  explicit Session(ConnectionOptions options) : options_(std::move(options)) {}
  /// As Connection::run.
  Result<Rows> run(const char* sql, const Parameters& parameters = {});
  /// A connection that was not broken so far.
  Result<Connection*> get();
  /// The next one is another.
  void drop() { connection_.reset(); }

 private:
  const ConnectionOptions options_;
  std::unique_ptr<Connection> connection_;
};

/// The address without a password, for people.
std::string shown_url(const std::string& url);

/// One of the servers that an address names, as libpq is to be told of it.
struct Server {
  std::string host;     ///< or the directory of its socket; empty: as libpq has it
  std::string address;  ///< hostaddr
  std::string port;
  bool operator==(const Server&) const = default;
};
/// At least one.
std::vector<Server> servers_of(const std::string& url);

}  // namespace parley::postgres
