#include <iostream>

#include "absl/strings/str_cat.h"

#include "services/cli/backoff.hpp"
#include "services/cli/failures.hpp"
#include "services/cli/interrupt.hpp"
#include "services/cli/options.hpp"
#include "services/cli/terminal_text.hpp"
#include "services/cli/verbs.hpp"

namespace parley::cli {
namespace {

using Event = v1::WatchConversationResponse;

constexpr std::chrono::seconds k_heartbeat(15);
/// After this long without any sign of life the connection is held to be dead.
constexpr Micros k_silence_max = 3 * k_heartbeat;
/// Attempts before the first answer; afterwards it tries for ever.
constexpr int k_first_attempts_max = 4;

/// The verb `tail`: follows one conversation over as many connections as it takes.
/// Lives for one run; main thread. `last_` only rises, and only by events that were printed, so
/// that a new stream goes on exactly behind the last of them.
class Tail {
 public:
  Tail(Run& run, v1::WatchConversationRequest request, bool once)
      : run_(run), request_(std::move(request)), once_(once), last_(request_.after_version()) {}

  Status follow();

 private:
  enum class Step { go_on, stop };

  /// One stream to its end. OK: there is nothing more to follow.
  Status follow_once();
  Step take(const Event& event);
  void print(const Event& event);
  [[nodiscard]] bool worth_another(const Status& status) const;

  Run& run_;
  v1::WatchConversationRequest request_;
  bool once_;
  int64_t last_;
  bool answered_ = false;
  int attempts_ = 0;
  Backoff backoff_{std::chrono::milliseconds(500), std::chrono::seconds(10)};
};

bool Tail::worth_another(const Status& status) const {
  if (!answered_ && attempts_ >= k_first_attempts_max) return false;
  if (server_gone(status)) return true;
  return status.code() == absl::StatusCode::kResourceExhausted &&
         failure_details(status).reason == "WATCHER_TOO_SLOW";
}

Status Tail::follow() {
  while (true) {
    ++attempts_;
    const Status status = follow_once();
    if (status.ok() || interrupted() || !worth_another(status)) return status;
    if (answered_) {
      run_.console.note(absl::StrCat("the stream ended (", describe_outage(status),
                                     "); going on after version ", last_, " when it is back"));
    }
    if (!run_.session.await_server(status, backoff_)) return status;
  }
}

Status Tail::follow_once() {
  request_.set_after_version(last_);
  auto stream = run_.session.open<Event>(request_);
  Event event;
  while (true) {
    switch (stream.read(&event, k_silence_max)) {
      case RawStream::Next::message:
        if (!answered_) attempts_ = 0;
        answered_ = true;
        backoff_.reset();
        if (take(event) == Step::stop) return absl::OkStatus();
        break;
      case RawStream::Next::silence:
        stream.cancel();
        return call_failure(static_cast<int>(absl::StatusCode::kUnavailable),
                            "no sign of life from the server", "");
      case RawStream::Next::ended:
        return stream.finish();
    }
  }
}

Tail::Step Tail::take(const Event& event) {
  if (event.has_heartbeat()) return once_ ? Step::stop : Step::go_on;
  if (event.version() <= last_) return Step::go_on;
  if (event.version() != last_ + 1) {
    run_.console.err << "parley: tail: versions " << last_ + 1 << " to " << event.version() - 1
                     << " did not come\n";
  }
  last_ = event.version();
  if (run_.console.json) {
    run_.console.put_json(event);
  } else {
    print(event);
  }
  run_.console.out.flush();
  return event.has_deleted() || !run_.console.out.good() ? Step::stop : Step::go_on;
}

void Tail::print(const Event& event) {
  auto& out = run_.console.out;
  const Style style = style_of(run_.console);
  const auto line = [&](const std::string& text) {
    out << style.dim(absl::StrCat("-- version ", event.version(), ", ", format_time(event.time()),
                                  ": ", printable(text, false)))
        << '\n';
  };
  switch (event.event_case()) {
    case Event::kCreated:
      return line("created " + event.created().thread_id());
    case Event::kMessagesAppended:
      for (const auto& message : event.messages_appended().messages()) {
        print_message(out, message, style);
      }
      if (const int32_t erased = event.messages_appended().erased(); erased > 0) {
        line(absl::StrCat(erased, " messages, erased since"));
      }
      return;
    case Event::kUpdated:
      line("updated");
      return print_conversation(out, event.updated(), style);
    case Event::kUsageRecorded:
      return line("usage recorded: " + format_usage(event.usage_recorded().usage()));
    case Event::kReset:
      return line("messages and usage were cleared");
    case Event::kForkNoted:
      return line(absl::StrCat(event.fork_noted().released() ? "let go of fork " : "forked: ",
                               event.fork_noted().thread_id(), " at message ",
                               event.fork_noted().sequence()));
    case Event::kDeleted:
      return line("deleted");
    case Event::kParentReleased:
      return line("let go by its parent");
    case Event::kHeartbeat:
    case Event::EVENT_NOT_SET:
      return line("something this program does not know");
  }
}

}  // namespace

void add_watch_verbs(const Command& program) {
  auto request = std::make_shared<v1::WatchConversationRequest>();
  auto once = std::make_shared<bool>(false);
  const Command verb = program.verb("tail", "Print what happens in a conversation, as it happens");
  thread_option(verb, request);
  verb.number("-a,--after-version", "Go on after this version [0: everything]", 0, INT64_MAX,
              [request](int64_t version) { request->set_after_version(version); });
  verb.flag("--once", "Stop when there is nothing more for now", [once] { *once = true; });
  verb.flag("--wait", "Wait for the conversation to be created",
            [request] { request->set_wait_for_create(true); });
  verb.more("When the connection or the server goes away, it goes on by itself where it was.");
  verb.runs([request, once](Run& run) {
    request->set_heartbeat_interval_ms(
        *once ? 1000 : static_cast<int32_t>(std::chrono::milliseconds(k_heartbeat).count()));
    return Tail(run, *request, *once).follow();
  });
}

}  // namespace parley::cli
