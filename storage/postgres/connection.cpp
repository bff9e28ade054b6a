#include "storage/postgres/connection.hpp"

#include <algorithm>
#include <array>
#include <poll.h>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <libpq-fe.h>

#include "base/log.hpp"
#include "storage/bytes.hpp"

namespace parley::postgres {
namespace {

/// This side waits longer than the server, whose word is better than silence.
constexpr auto k_grace = std::chrono::milliseconds(2'000);

std::string words(const char* said) { return std::string(absl::StripAsciiWhitespace(said)); }

/// What a server or the library says of a result, in one line.
std::string words_of(const PGresult* result) {
  const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  std::string said = words(primary == nullptr ? PQresultErrorMessage(result) : primary);
  return said.substr(0, said.find('\n'));
}

/// By the class of what the server says. Commits that were waited for in vain are warned of.
Status status_of(const PGresult* result) {
  const char* given = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string code = given == nullptr ? "" : given;
  const std::string message = absl::StrCat("the database says: ", words_of(result),
                                           code.empty() ? "" : absl::StrCat(" (", code, ")"));
  const std::string kind = code.substr(0, 2);
  if (kind == "40" || code == "55P03") return absl::AbortedError(message);
  if (code == "57014") return absl::DeadlineExceededError(message);
  if (kind == "53") return absl::ResourceExhaustedError(message);
  // A session may be ended between its commit and the answer.
  if (kind == "57" || kind == "08" || code.empty()) return absl::UnknownError(message);
  const bool wrong_place = code == "25006" || kind == "28" || kind == "3D" || kind == "3F" ||
                           code == "42P01" || code == "42883" || code == "42501";
  if (wrong_place) return absl::FailedPreconditionError(message);
  return absl::InternalError(message);
}

/// Adds a result to what a statement gave so far; an error counts more than rows.
void keep(PGresult* next, Result<Rows>& answer) {
  Rows rows(next);
  const ExecStatusType kind = PQresultStatus(next);
  if (kind != PGRES_TUPLES_OK && kind != PGRES_COMMAND_OK) {
    answer = status_of(next);
  } else if (answer.ok() || absl::IsUnknown(answer.status())) {
    answer = std::move(rows);
  }
}

}  // namespace

Rows::Rows(pg_result* result) : result_(result) {}
void Rows::Clear::operator()(pg_result* result) const { PQclear(result); }

int Rows::count() const { return PQntuples(result_.get()); }
bool Rows::is_null(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) != 0;
}
std::string_view Rows::bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}
bool Rows::boolean(int row, int column) const {
  return bytes(row, column) == std::string_view("\1", 1);
}
int64_t Rows::number(int row, int column) const {
  std::string_view value = bytes(row, column);
  if (value.size() == sizeof(uint32_t)) return static_cast<int32_t>(*take_big<uint32_t>(value));
  return static_cast<int64_t>(take_big<uint64_t>(value).value_or(0));
}
WallTime Rows::time(int row, int column) const { return {number(row, column) + k_epoch_micros}; }

std::vector<std::string_view> Rows::array(int row, int column) const {
  std::vector<std::string_view> elements;
  std::string_view value = bytes(row, column);
  const auto dimensions = take_big<uint32_t>(value);
  if (!dimensions || *dimensions == 0) return elements;
  take_big<uint32_t>(value);  // nulls
  take_big<uint32_t>(value);  // type
  const auto count = take_big<uint32_t>(value);
  take_big<uint32_t>(value);  // lower bound
  for (uint32_t i = 0; i < count.value_or(0); ++i) {
    const auto size = take_big<uint32_t>(value);
    if (!size || *size > value.size()) break;
    elements.push_back(value.substr(0, *size));
    value.remove_prefix(*size);
  }
  return elements;
}

void Connection::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }
Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::open(const ConnectionOptions& options) {
  std::unique_ptr<Connection> connection(new Connection(options));
  Status status = connection->connect();
  if (status.ok()) status = connection->prepare_session();
  // Whatever became of that, nothing that anybody asked for was carried out.
  if (absl::IsUnknown(status)) return absl::UnavailableError(status.message());
  if (!status.ok()) return status;
  return connection;
}

Status Connection::connect() {
  const std::vector<Server> servers = servers_of(options_.url);
  const size_t first = options_.preferred->load(std::memory_order_relaxed);
  const auto share = options_.connect_max / servers.size();
  Status status;
  for (size_t i = 0; i < servers.size(); ++i) {
    const size_t at = (first + i) % servers.size();
    broken_ = false;
    status = connect_to(servers[at], Clock::now() + share);
    if (!status.ok()) continue;
    options_.preferred->store(at, std::memory_order_relaxed);
    return status;
  }
  return status;
}

Status Connection::connect_to(const Server& server, Clock::time_point until) {
  const std::string silence = std::to_string(options_.statement_max.count());
  // What stands before the address is for where it says nothing, what stands behind it wins.
  const auto keywords = std::to_array<const char*>(
      {"target_session_attrs", "dbname", "host", "hostaddr", "port", "fallback_application_name",
       "client_encoding", "keepalives_idle", "tcp_user_timeout", nullptr});
  const auto values = std::to_array<const char*>(
      {"read-write", options_.url.c_str(), server.host.c_str(), server.address.c_str(),
       server.port.c_str(), "parley", "UTF8", "5", silence.c_str(), nullptr});
  connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 1));
  const auto refused = [this](const std::string& why) {
    broken_ = true;
    return absl::UnavailableError(
        absl::StrCat("no connection to the database at ", shown_url(options_.url), ": ", why));
  };
  if (!connection_) return refused("out of memory");
  if (PQstatus(connection_.get()) == CONNECTION_BAD) {
    return refused(words(PQerrorMessage(connection_.get())));
  }
  // Why to write: so libpq wants it, before the first poll.
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) return refused(words(PQerrorMessage(connection_.get())));
    const bool reads = next == PGRES_POLLING_READING;
    if (!wait(reads ? POLLIN : POLLOUT, until)) return refused("no answer in time");
    next = PQconnectPoll(connection_.get());
  }
  PQsetNoticeReceiver(connection_.get(), &Connection::note, this);
  PQsetnonblocking(connection_.get(), 1);
  return absl::OkStatus();
}

Status Connection::prepare_session() {
  return run_all(
      absl::StrCat("SET statement_timeout = ", options_.statement_max.count(),
                   "; SET lock_timeout = ", options_.lock_max.count(),
                   "; SET idle_in_transaction_session_timeout = ", options_.statement_max.count(),
                   "; SET default_transaction_isolation = 'read committed'; SET jit = off;"
                   // Commits that were not waited for are warned of.
                   " SET client_min_messages = warning;"));
}

void Connection::note(void* self, const pg_result* notice) {
  const char* severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity == nullptr || std::string_view(severity) != "WARNING") return;
  static_cast<Connection*>(self)->warned_ = true;
  spdlog::warn("the database warns: {}", words_of(notice));
}

bool Connection::wait(short events, Clock::time_point until) const {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
  // Why also where no time is left: what is there is there, however late this thread comes to it.
  pollfd ready{PQsocket(connection_.get()), events, 0};
  const int found = poll(&ready, 1, static_cast<int>(std::max<int64_t>(left, 0)));
  // Interrupted counts as ready: whoever waits looks again.
  return found > 0 || (found < 0 && errno == EINTR);
}

Status Connection::lost(bool after_sending) {
  broken_ = true;
  const std::string why = absl::StrCat("the connection to the database is gone: ",
                                       words(PQerrorMessage(connection_.get())));
  return after_sending ? absl::UnknownError(why) : absl::UnavailableError(why);
}

Status Connection::look_alive() {
  if (broken_) return absl::UnavailableError("the connection to the database is gone");
  warned_ = false;
  // Why more than once: what it was told comes first, and then the end, which is what counts.
  while (true) {
    pollfd ready{PQsocket(connection_.get()), POLLIN, 0};
    if (poll(&ready, 1, 0) <= 0) return absl::OkStatus();
    if (PQconsumeInput(connection_.get()) == 0 || PQstatus(connection_.get()) == CONNECTION_BAD) {
      return lost(false);
    }
  }
}

Status Connection::send(bool sent, Clock::time_point until) {
  if (!sent) return lost(false);
  while (true) {
    const int left = PQflush(connection_.get());
    if (left == 0) return absl::OkStatus();
    if (left < 0) return lost(true);
    if (!wait(POLLIN | POLLOUT, until)) {
      broken_ = true;
      return absl::UnknownError("the database did not take a statement in time");
    }
    if (PQconsumeInput(connection_.get()) == 0) return lost(true);
  }
}

Result<pg_result*> Connection::next_result(Clock::time_point until) {
  while (PQisBusy(connection_.get()) != 0) {
    if (!wait(POLLIN, until)) {
      broken_ = true;
      return absl::UnknownError("the database did not answer in time");
    }
    if (PQconsumeInput(connection_.get()) == 0) return lost(true);
  }
  return PQgetResult(connection_.get());
}

Result<Rows> Connection::receive(Clock::time_point until) {
  Result<Rows> answer = absl::UnknownError("the database did not answer");
  while (true) {
    const auto next = next_result(until);
    if (!next.ok()) return next.status();
    if (*next == nullptr) break;
    keep(*next, answer);
  }
  if (PQstatus(connection_.get()) == CONNECTION_BAD) broken_ = true;
  // It waits no longer for a standby to have what was committed, say.
  if (answer.ok() && warned_) return absl::UnknownError("the database warned of a commit");
  return answer;
}

Result<Rows> Connection::receive_begun(Clock::time_point until) {
  Result<Rows> answer = absl::UnknownError("the database did not answer");
  // What a statement gives comes before its commit, the mark that ends it comes after.
  for (int ends = 0; ends < 3;) {
    const auto next = next_result(until);
    if (!next.ok()) return next.status();
    if (*next == nullptr) {
      ++ends;
    } else if (PQresultStatus(*next) == PGRES_PIPELINE_SYNC) {
      PQclear(*next);
      if (answer.ok() && warned_) return absl::UnknownError("the database warned of a commit");
      return answer;
    } else {
      keep(*next, answer);
    }
  }
  return lost(true);
}

Status Connection::send(const char* sql, const Parameters& parameters, Clock::time_point until) {
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const auto& value : parameters.values()) {
    values.push_back(value ? value->data() : nullptr);
    lengths.push_back(value ? static_cast<int>(value->size()) : 0);
  }
  const std::vector<int> binary(values.size(), 1);
  bool sent =
      PQsendQueryParams(connection_.get(), sql, parameters.count(), parameters.types().data(),
                        values.data(), lengths.data(), binary.data(), 1) == 1;
  const bool pipelined = PQpipelineStatus(connection_.get()) != PQ_PIPELINE_OFF;
  if (sent && pipelined) sent = PQpipelineSync(connection_.get()) == 1;
  return send(sent, until);
}

Result<Rows> Connection::run(const char* sql, const Parameters& parameters) {
  if (Status status = look_alive(); !status.ok()) return status;
  if (PQexitPipelineMode(connection_.get()) == 0) return lost(false);
  const auto until = Clock::now() + options_.statement_max + k_grace;
  if (Status status = send(sql, parameters, until); !status.ok()) return status;
  return receive(until);
}

Status Connection::begin(const char* sql, const Parameters& parameters) {
  if (under_way_ == 0) {
    if (Status status = look_alive(); !status.ok()) return status;
    if (PQenterPipelineMode(connection_.get()) == 0) return lost(false);
  }
  Status status = send(sql, parameters, Clock::now() + options_.statement_max + k_grace);
  if (status.ok()) ++under_way_;
  return status;
}

Result<Rows> Connection::finish() {
  if (broken_) return absl::UnknownError("the connection to the database is gone");
  --under_way_;
  warned_ = false;
  return receive_begun(Clock::now() + options_.statement_max + k_grace);
}

Status Connection::run_all(const std::string& sql) {
  if (Status status = look_alive(); !status.ok()) return status;
  const auto until = Clock::now() + options_.statement_max + k_grace;
  if (PQexitPipelineMode(connection_.get()) == 0) return lost(false);
  const bool sent = PQsendQuery(connection_.get(), sql.c_str()) == 1;
  if (Status status = send(sent, until); !status.ok()) return status;
  return receive(until).status();
}

Result<Connection*> Session::get() {
  if (!connection_ || connection_->broken()) {
    connection_.reset();
    auto opened = Connection::open(options_);
    if (!opened.ok()) return opened.status();
    connection_ = *std::move(opened);
  }
  return connection_.get();
}

Result<Rows> Session::run(const char* sql, const Parameters& parameters) {
  const auto connection = get();
  if (!connection.ok()) return connection.status();
  auto rows = (*connection)->run(sql, parameters);
  if (absl::IsFailedPrecondition(rows.status())) connection_.reset();
  return rows;
}

std::vector<Server> servers_of(const std::string& url) {
  std::vector<std::string> hosts{""};
  std::vector<std::string> addresses{""};
  std::vector<std::string> ports{""};
  char* error = nullptr;
  PQconninfoOption* const options = PQconninfoParse(url.c_str(), &error);
  PQfreemem(error);
  for (const auto* option = options; option != nullptr && option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    if (keyword == "host") hosts = absl::StrSplit(option->val, ',');
    if (keyword == "hostaddr") addresses = absl::StrSplit(option->val, ',');
    if (keyword == "port") ports = absl::StrSplit(option->val, ',');
  }
  PQconninfoFree(options);
  // One port may be that of all.
  const auto at = [](const std::vector<std::string>& list, size_t i) {
    return list.size() == 1 ? list[0] : i < list.size() ? list[i] : std::string();
  };
  std::vector<Server> servers;
  for (size_t i = 0; i < std::max(hosts.size(), addresses.size()); ++i) {
    std::string port = at(ports, i);
    // Why: what is left out there would be all ports of the address here.
    if (port.empty() && ports.size() > 1) port = "5432";
    servers.push_back({at(hosts, i), at(addresses, i), std::move(port)});
  }
  return servers;
}

std::string shown_url(const std::string& url) {
  char* error = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &error);
  PQfreemem(error);
  std::string host = "?";
  std::string port;
  std::string database;
  for (const auto* option = options; option != nullptr && option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    if (keyword == "host") host = option->val;
    if (keyword == "port") port = absl::StrCat(":", option->val);
    if (keyword == "dbname") database = absl::StrCat("/", option->val);
  }
  PQconninfoFree(options);
  return absl::StrCat(host, port, database);
}

}  // namespace parley::postgres
