#include <iostream>

#include "absl/strings/str_cat.h"

#include "cluster/shard_file.hpp"
#include "services/cli/failures.hpp"
#include "services/cli/options.hpp"
#include "services/cli/progress.hpp"
#include "services/cli/terminal_text.hpp"
#include "services/cli/verbs.hpp"
#include "storage/offline.hpp"

namespace parley::cli {
namespace {

/// Why: storage speaks of damage in a store that is in use, where a backup is the way out of it.
Status fit_for_restore(const RestoreRequest& request, const Status& status) {
  if (status.code() != absl::StatusCode::kDataLoss) return status;
  const std::string which =
      request.backup_id == 0 ? "the newest backup" : absl::StrCat("backup ", request.backup_id);
  const std::string cause(status.message().substr(0, status.message().rfind(';')));
  return absl::DataLossError(
      absl::StrCat(which, " in ", request.backup_dir, " is damaged (", cause, ")"));
}

void add_restore(const Command& program) {
  auto request = std::make_shared<RestoreRequest>();
  const Command verb = program.verb("restore", "Make a data directory out of a backup, offline");
  verb.text("--backup-dir", "Where the backups are ('parley backup list' names it)",
            &request->backup_dir, Command::Need::required);
  verb.number("--id", "Which backup [the newest]", 1, INT64_MAX,
              [request](int64_t id) { request->backup_id = id; });
  verb.text("--data-dir", "The data directory to make; it must not exist or be empty",
            &request->data_dir, Command::Need::required);
  verb.more("Needs no server: start one on the data directory when it is done.");
  verb.runs([request](Run& run) -> Status {
    Progress progress(run.console, "restore", true);
    const Status status = restore_backup(
        *request, [&](uint64_t done, uint64_t total) { progress.update(done, total); });
    progress.clear();
    if (status.ok())
      run.console.note("restored; start it with 'parleyd --data-dir " + request->data_dir + "'");
    return fit_for_restore(*request, status);
  });
}

void print_problem(const Console& console, const std::string& where, const std::string& what) {
  console.out << printable(where, false) << ": " << printable(what, false) << '\n';
}

/// The last words of a verification, and its exit code.
Status conclude(Run& run, const v1::VerifyStorageResponse& read, uint64_t problems) {
  run.console.note(absl::StrCat(format_count(static_cast<uint64_t>(read.conversations())),
                                " conversations, ",
                                format_count(static_cast<uint64_t>(read.messages())), " messages, ",
                                format_bytes(static_cast<uint64_t>(read.bytes())), " read"));
  if (!read.done()) {
    return failure_like_call(absl::StatusCode::kUnavailable,
                             "the verification ended before everything was read; run it again");
  }
  if (problems == 0) {
    run.console.note("no damage");
    return absl::OkStatus();
  }
  return failure_like_call(absl::StatusCode::kDataLoss,
                           absl::StrCat(problems, " problems were found"));
}

Status verify_online(Run& run) {
  Progress progress(run.console, "verify", true);
  auto stream = run.session.open<v1::VerifyStorageResponse>(v1::VerifyStorageRequest());
  v1::VerifyStorageResponse answer;
  v1::VerifyStorageResponse last;
  uint64_t problems = 0;
  while (stream.read(&answer) == RawStream::Next::message) {
    if (answer.problems_size() > 0) progress.clear();
    if (run.console.json) {
      run.console.put_json(answer);
    } else {
      for (const auto& p : answer.problems()) print_problem(run.console, p.where(), p.what());
    }
    problems += static_cast<uint64_t>(answer.problems_size());
    progress.update(static_cast<uint64_t>(answer.bytes()), 0,
                    absl::StrCat(answer.conversations(), " conversations"));
    last = answer;
  }
  progress.clear();
  if (Status ended = stream.finish(); !ended.ok()) return ended;
  return conclude(run, last, problems);
}

Status verify_offline(Run& run, const std::string& data_dir) {
  const auto shards = read_shards(data_dir);
  if (!shards.ok()) return shards.status();
  const auto elsewhere = [&](Shard shard) {
    return *shards && shard.value < (*shards)->holdings.size() &&
           (*shards)->holdings[shard.value].kind != Holding::Kind::owned;
  };
  Progress progress(run.console, "verify", true);
  const auto on_progress = [&](const VerifyReport& so_far) {
    progress.update(so_far.bytes, 0, absl::StrCat(so_far.conversations, " conversations"));
  };
  const auto report = verify_store(data_dir, on_progress, elsewhere);
  progress.clear();
  if (!report.ok()) return report.status();
  v1::VerifyStorageResponse read;
  read.set_conversations(static_cast<int64_t>(report->conversations));
  read.set_messages(static_cast<int64_t>(report->messages));
  read.set_bytes(static_cast<int64_t>(report->bytes));
  read.set_done(report->done);
  for (const auto& problem : report->problems) {
    if (!run.console.json) print_problem(run.console, problem.where, problem.what);
    auto* added = read.add_problems();
    added->set_where(problem.where);
    added->set_what(problem.what);
  }
  if (run.console.json) run.console.put_json(read);
  return conclude(run, read, report->problems.size());
}

void add_verify(const Command& program) {
  auto data_dir = std::make_shared<std::string>();
  const Command verb = program.verb("verify", "Read and check every stored byte");
  verb.text("--data-dir", "Offline, in this data directory [online, by the server]",
            data_dir.get());
  verb.more("Exits with 79 where it finds damage.");
  verb.runs([data_dir](Run& run) {
    return data_dir->empty() ? verify_online(run) : verify_offline(run, *data_dir);
  });
}

}  // namespace

void add_storage_verbs(const Command& program) {
  add_restore(program);
  add_verify(program);
}

}  // namespace parley::cli
