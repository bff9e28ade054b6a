#include <deque>
#include <iostream>

#include "absl/strings/str_cat.h"

#include "services/cli/backoff.hpp"
#include "services/cli/failures.hpp"
#include "services/cli/import_source.hpp"
#include "services/cli/interrupt.hpp"
#include "services/cli/options.hpp"
#include "services/cli/progress.hpp"
#include "services/cli/terminal_text.hpp"
#include "services/cli/verbs.hpp"

namespace parley::cli {
namespace {

using Answer = v1::ImportConversationsResponse;
using ImportStream = Stream<v1::ImportConversationsRequest, Answer>;

/// Bytes sent and not answered yet, whatever the window in conversations says.
constexpr size_t k_unanswered_bytes_max = 32 << 20;
constexpr size_t k_refusals_shown_max = 10;
constexpr int k_fruitless_attempts_max = 5;

/// What became of the conversations so far.
struct Tally {
  uint64_t created = 0;
  uint64_t completed = 0;
  uint64_t unchanged = 0;
  uint64_t refused = 0;
  uint64_t messages = 0;
  std::vector<std::string> refusals;

  [[nodiscard]] uint64_t all() const { return created + completed + unchanged + refused; }
};

/// The verb `import`. Lives for one run; main thread. `unanswered_` holds a place for each
/// conversation sent and not answered, in order: answers come in that order, and after a broken
/// stream it goes on from the oldest of them. Sending one twice is harmless.
class Import {
 public:
  Import(Run& run, ImportSource& source, size_t window)
      : run_(run), source_(source), window_(window), progress_(run.console, "import", true) {}

  Status run();

 private:
  struct Sent {
    InputPlace place;
    size_t bytes;
  };

  Status run_stream();
  /// Sends until the window is full or the input ends.
  Status fill_window(ImportStream& stream);
  Status take(const Answer& answer);
  void refuse(const std::string& where, const std::string& why);
  /// Makes ready to go on after a stream that ended with `status`; else says why not.
  Status recover(const Status& status, Backoff& backoff, int* fruitless);
  Status summarise();
  /// Why two: in the full form the last one sent may not be whole yet, and is not answered before
  /// it is.
  [[nodiscard]] bool window_full() const {
    return unanswered_.size() >= window_ ||
           (unanswered_.size() >= 2 && unanswered_bytes_ >= k_unanswered_bytes_max);
  }

  Run& run_;
  ImportSource& source_;
  size_t window_;
  Progress progress_;
  Tally tally_;
  std::deque<Sent> unanswered_;
  size_t unanswered_bytes_ = 0;
  bool input_ended_ = false;
  bool stream_ended_ = false;
  /// A new stream has to begin with a conversation, and the rest of an answered one is of no use.
  bool skip_to_next_ = false;
};

void Import::refuse(const std::string& where, const std::string& why) {
  ++tally_.refused;
  if (tally_.refusals.size() < k_refusals_shown_max) tally_.refusals.push_back(where + ": " + why);
}

Status Import::fill_window(ImportStream& stream) {
  v1::ImportConversationsRequest request;
  while (!input_ended_ && !window_full()) {
    auto piece = source_.next();
    if (!piece.ok()) return piece.status();
    if (!piece->has_value()) {
      input_ended_ = true;
      stream.done_writing();
      break;
    }
    if (!(*piece)->unfit.empty()) {
      refuse(source_.name_of((*piece)->place), (*piece)->unfit);
      continue;
    }
    if (skip_to_next_ && !(*piece)->begins) continue;
    skip_to_next_ = false;
    const size_t bytes = (*piece)->record.ByteSizeLong();
    if ((*piece)->begins) {
      unanswered_.push_back({(*piece)->place, bytes});
    } else if (!unanswered_.empty()) {
      unanswered_.back().bytes += bytes;
    }
    unanswered_bytes_ += bytes;
    request.mutable_record()->Swap(&(*piece)->record);
    if (!stream.write(request)) {
      stream_ended_ = true;
      break;
    }
  }
  return absl::OkStatus();
}

Status Import::take(const Answer& answer) {
  if (unanswered_.empty()) {
    return absl::InternalError("the server answered for a conversation that was never sent");
  }
  const Sent sent = unanswered_.front();
  unanswered_.pop_front();
  unanswered_bytes_ -= std::min(unanswered_bytes_, sent.bytes);
  tally_.messages += static_cast<uint64_t>(answer.messages_imported());
  switch (answer.result()) {
    case v1::IMPORT_RESULT_CREATED:
      ++tally_.created;
      break;
    case v1::IMPORT_RESULT_COMPLETED:
      ++tally_.completed;
      break;
    case v1::IMPORT_RESULT_UNCHANGED:
      ++tally_.unchanged;
      break;
    default:
      refuse(source_.name_of(sent.place),
             absl::StrCat(answer.error_reason(), ": ", answer.error()));
  }
  if (run_.console.json) run_.console.put_json(answer);
  progress_.update(source_.bytes_read(), source_.bytes_total(),
                   format_count(tally_.all()) + " conversations");
  return absl::OkStatus();
}

Status Import::run_stream() {
  auto stream = run_.session.open_both_ways<v1::ImportConversationsRequest, Answer>();
  stream_ended_ = false;
  if (input_ended_) stream.done_writing();
  Answer answer;
  while (!stream_ended_) {
    if (Status filled = fill_window(stream); !filled.ok()) return filled;
    if (stream.read(&answer) != RawStream::Next::message) break;
    if (Status taken = take(answer); !taken.ok()) return taken;
  }
  // Why: what the server answered before the stream broke need not be sent again.
  while (stream.read(&answer) == RawStream::Next::message) {
    if (Status taken = take(answer); !taken.ok()) return taken;
  }
  const Status status = stream.finish();
  if (status.ok() && (!unanswered_.empty() || !input_ended_)) {
    return call_failure(static_cast<int>(absl::StatusCode::kUnavailable),
                        "the server ended the stream early", "");
  }
  return status;
}

Status Import::recover(const Status& status, Backoff& backoff, int* fruitless) {
  if (!server_gone(status) || ++*fruitless > k_fruitless_attempts_max) return status;
  const InputPlace place = unanswered_.empty() ? source_.place() : unanswered_.front().place;
  if (!unanswered_.empty() && !source_.rewind(place)) {
    run_.console.note("the input cannot be read again; run the same import once more");
    return status;
  }
  progress_.clear();
  run_.console.note(absl::StrCat(describe_outage(status), "; going on at ", source_.name_of(place),
                                 " when it is back"));
  if (!unanswered_.empty()) input_ended_ = false;
  skip_to_next_ = unanswered_.empty();
  unanswered_.clear();
  unanswered_bytes_ = 0;
  return run_.session.await_server(status, backoff) ? absl::OkStatus() : status;
}

Status Import::run() {
  Backoff backoff(std::chrono::milliseconds(500), std::chrono::seconds(10));
  int fruitless = 0;
  while (true) {
    const uint64_t before = tally_.all();
    const Status status = run_stream();
    if (status.ok()) break;
    if (tally_.all() > before) {
      fruitless = 0;
      backoff.reset();
    }
    const Status recovered = interrupted() ? status : recover(status, backoff, &fruitless);
    if (recovered.ok()) continue;
    progress_.clear();
    if (tally_.all() > 0) summarise().IgnoreError();
    return recovered;
  }
  progress_.clear();
  return summarise();
}

Status Import::summarise() {
  const std::string summary = absl::StrCat(
      format_count(tally_.created), " created, ", format_count(tally_.completed), " completed, ",
      format_count(tally_.unchanged), " unchanged, ", format_count(tally_.refused), " refused; ",
      format_count(tally_.messages), " messages in ", format_duration(progress_.elapsed()));
  if (run_.console.json) {
    run_.console.note(summary);
  } else {
    run_.console.out << summary << '\n';
  }
  for (const auto& refusal : tally_.refusals) {
    run_.console.err << "refused: " << printable(refusal, false) << '\n';
  }
  if (tally_.refused == 0) return absl::OkStatus();
  if (tally_.refused > tally_.refusals.size()) {
    run_.console.err << "refused: " << tally_.refused - tally_.refusals.size() << " more\n";
  }
  return absl::FailedPreconditionError(
      absl::StrCat(tally_.refused, " of ", tally_.all(), " conversations were refused"));
}

}  // namespace

void add_import_verbs(const Command& program) {
  struct Options {
    std::vector<std::string> files;
    bool full = false;
    size_t window = 256;
  };
  auto options = std::make_shared<Options>();
  const Command verb = program.verb("import", "Import conversations from JSON lines");
  verb.text(
      "files", "Files to read; - or nothing reads stdin",
      [options](const std::string& file) {
        options->files.push_back(file);
        return absl::OkStatus();
      },
      Command::Need::repeated);
  verb.flag("--full", "The lines are of the full form, as export --form full writes it",
            &options->full);
  verb.number("--window", "Conversations sent ahead of their answers [256]", 2, 65536,
              [options](int64_t window) { options->window = static_cast<size_t>(window); });
  verb.more("Running the same import again changes nothing, and completes one that broke off.");
  verb.runs([options](Run& run) -> Status {
    ImportSource source(options->files,
                        options->full ? v1::TRANSFER_FORM_FULL : v1::TRANSFER_FORM_JSONL,
                        run.console.in);
    if (Status opened = source.open(); !opened.ok()) return opened;
    const InterruptScope scope;
    return Import(run, source, options->window).run();
  });
}

}  // namespace parley::cli
