#include <algorithm>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.pb.h"

#include "services/cli/failures.hpp"
#include "services/cli/options.hpp"
#include "services/cli/terminal_text.hpp"
#include "services/cli/verbs.hpp"

namespace parley::cli {
namespace {

/// Between two questions to a server that does not serve yet.
constexpr Micros k_health_look = std::chrono::milliseconds(200);

std::string count(int64_t value) { return format_count(static_cast<uint64_t>(value)); }
std::string bytes(int64_t value) { return format_bytes(static_cast<uint64_t>(value)); }

void print_info(const Console& console, const v1::GetServerInfoResponse& info) {
  const Style style = style_of(console);
  Fields fields = {
      {"release", printable(info.release(), false)},
      {"commit", printable(info.commit(), false)},
      {"address", printable(info.address(), false)},
      {"store", printable(info.store_id(), false)},
      {"shards", std::to_string(info.shard_count())},
      {"started", format_time(info.start_time())},
      {"live conversations",
       absl::StrCat(count(info.live_conversations()), ", about ", bytes(info.live_bytes()), " of ",
                    bytes(info.memory_budget_bytes()))},
      {"resident memory", bytes(info.resident_bytes())},
      {"watch streams", count(info.watch_streams())},
      {"disk free", bytes(info.disk_free_bytes()) + (info.disk_full() ? ", appends refused" : "")},
      {"damaged", info.damaged_conversations() > 0
                      ? count(info.damaged_conversations()) + " conversations"
                      : ""}};
  print_fields(console.out, fields, style);
  Fields counters;
  for (const auto& [name, value] : info.counters()) {
    counters.emplace_back(printable(name, false), count(value));
  }
  std::sort(counters.begin(), counters.end());
  if (!counters.empty()) console.out << '\n';
  print_fields(console.out, counters, style);
}

void add_info(const Command& above) {
  const Command verb = above.verb("info", "What the server is and how it is doing");
  verb.runs([](Run& run) {
    return call_and_print<v1::GetServerInfoResponse>(
        run, v1::GetServerInfoRequest(), [&](const auto& info) { print_info(run.console, info); });
  });
}

/// OK once the server says that it serves.
Status check_health(Session& session, const std::string& service) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  const auto answer =
      session.call<grpc::health::v1::HealthCheckResponse>(request, Session::Retry::never);
  if (!answer.ok()) return answer.status();
  if (answer->status() == grpc::health::v1::HealthCheckResponse::SERVING) return absl::OkStatus();
  return failure_like_call(
      absl::StatusCode::kUnavailable,
      "the server answers " +
          grpc::health::v1::HealthCheckResponse::ServingStatus_Name(answer->status()));
}

void add_health(const Command& above) {
  auto service = std::make_shared<std::string>("parley.v1.ConversationService");
  auto patience = std::make_shared<Micros>(0);
  const Command verb = above.verb("health", "Whether the server takes calls; exits with 0 or 78");
  verb.text("--wait", "Wait this long for it", [patience](const std::string& text) -> Status {
    const auto duration = parse_duration(text);
    if (!duration.ok()) return duration.status();
    *patience = *duration;
    return absl::OkStatus();
  });
  verb.text("--service", "Which service; empty: is the process alive [the conversations]",
            service.get());
  verb.runs([service, patience](Run& run) {
    const auto end = std::chrono::steady_clock::now() + *patience;
    Backoff backoff(k_health_look, k_health_look);
    Status status = check_health(run.session, *service);
    while (server_gone(status)) {
      const auto left = end - std::chrono::steady_clock::now();
      if (left.count() <= 0) break;
      const auto limit = std::chrono::duration_cast<Micros>(left);
      if (!run.session.await_server(status, backoff, limit)) break;
      status = check_health(run.session, *service);
    }
    if (status.ok()) run.console.note("serving");
    return status;
  });
}

void add_locate(const Command& program) {
  auto request = std::make_shared<v1::LocateConversationRequest>();
  const Command verb = program.verb("locate", "Where a conversation lives");
  thread_option(verb, request);
  verb.runs([request](Run& run) {
    return call_and_print<v1::LocateConversationResponse>(run, *request, [&](const auto& answer) {
      print_fields(run.console.out,
                   {{"shard", std::to_string(answer.shard())},
                    {"epoch", std::to_string(answer.epoch())},
                    {"node", printable(answer.node(), false)},
                    {"in memory", answer.live() ? "yes" : "no"}},
                   style_of(run.console));
    });
  });
}

void add_backup(const Command& program) {
  const Command verb = program.verb("backup", "Backups of the server's storage");
  verb.needs_verb();
  const Command create = verb.verb("create", "Take one now, while calls go on");
  create.runs([](Run& run) -> Status {
    // Why: no retry. It carries no request id, and a second one would be a second backup.
    const auto answer = run.session.call<v1::CreateBackupResponse>(v1::CreateBackupRequest(),
                                                                   Session::Retry::never);
    if (!answer.ok()) return answer.status();
    if (run.console.json) {
      run.console.put_json(answer->backup());
    } else {
      print_backup(run.console.out, answer->backup(), style_of(run.console));
    }
    return absl::OkStatus();
  });
  const Command list = verb.verb("list", "Those that are there, oldest first");
  list.runs([](Run& run) -> Status {
    const auto answer = run.session.call<v1::ListBackupsResponse>(v1::ListBackupsRequest());
    if (!answer.ok()) return answer.status();
    Table table({"BACKUP", "TAKEN", "SIZE", "FILES", "DIRECTORY"});
    for (const auto& backup : answer->backups()) {
      if (run.console.json) run.console.put_json(backup);
      table.add({std::to_string(backup.backup_id()), format_time(backup.create_time()),
                 bytes(backup.size_bytes()), count(backup.file_count()), backup.directory()});
    }
    if (answer->backups_size() == 0) {
      run.console.note("no backups; 'parley backup create' takes one");
    } else if (!run.console.json) {
      table.print(run.console.out, style_of(run.console));
    }
    return absl::OkStatus();
  });
  verb.more("'parley restore' makes a data directory out of a backup.");
}

}  // namespace

void add_admin_verbs(const Command& program) {
  const Command server = program.verb("server", "About the server");
  server.needs_verb();
  add_info(server);
  add_health(server);
  add_locate(program);
  add_backup(program);
}

}  // namespace parley::cli
