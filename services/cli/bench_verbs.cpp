#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "services/cli/failures.hpp"
#include "services/cli/interrupt.hpp"
#include "services/cli/load.hpp"
#include "services/cli/options.hpp"
#include "services/cli/progress.hpp"
#include "services/cli/verbs.hpp"

namespace parley::cli {
namespace {

struct Bench {
  uint64_t conversations = 1000;
  int in_flight = 64;
  int connections = 4;
  Micros duration = std::chrono::seconds(10);
  uint64_t size = 200;
  int messages = 20;
  bool keep = false;
};

/// The verbs of `bench`: makes conversations of its own, measures, erases them again.
/// Lives for one run; main thread.
class BenchRun {
 public:
  BenchRun(Run& run, const Bench& bench)
      : run_(run), bench_(bench), prefix_("bench-" + fresh_request_id().substr(0, 8) + "-") {}

  Status append();
  Status read();

 private:
  [[nodiscard]] std::string thread(uint64_t n) const { return absl::StrCat(prefix_, n); }
  v1::AppendMessagesRequest append_of(int messages) const;
  LoadResult run_load_of(const std::string& what, const google::protobuf::Message& response,
                         const std::function<const google::protobuf::Message*(uint64_t)>& next,
                         uint64_t total);
  /// Gives each conversation this many messages, which makes it.
  Status prepare(int messages);
  Status erase();
  Status conclude(const char* verb, const LoadResult& result);
  /// Calls until the time is over.
  LoadResult measure(const google::protobuf::Message& response,
                     const std::function<const google::protobuf::Message*(uint64_t)>& next);

  Run& run_;
  const Bench& bench_;
  std::string prefix_;
};

v1::AppendMessagesRequest BenchRun::append_of(int messages) const {
  v1::AppendMessagesRequest request;
  for (int i = 0; i < messages; ++i) {
    auto* message = request.add_messages();
    message->set_role(i % 2 == 0 ? v1::ROLE_USER : v1::ROLE_ASSISTANT);
    message->set_content(std::string(bench_.size, 'x'));
  }
  return request;
}

LoadResult BenchRun::run_load_of(
    const std::string& what, const google::protobuf::Message& response,
    const std::function<const google::protobuf::Message*(uint64_t)>& next, uint64_t total) {
  Progress progress(run_.console, what, false);
  Load load;
  load.in_flight = bench_.in_flight;
  load.connections = bench_.connections;
  load.response = &response;
  load.next = next;
  load.answered = [&](uint64_t done) {
    if (done % 256 == 0) progress.update(done, total);
  };
  return run_load(run_.session.connection(), load);
}

Status BenchRun::prepare(int messages) {
  v1::AppendMessagesRequest request = append_of(messages);
  request.mutable_create_if_missing();
  const auto result = run_load_of(
      "prepare", v1::AppendMessagesResponse::default_instance(),
      [&](uint64_t call) -> const google::protobuf::Message* {
        if (call >= bench_.conversations) return nullptr;
        request.set_thread_id(thread(call));
        request.set_request_id(fresh_request_id());
        return &request;
      },
      bench_.conversations);
  return result.first_failure;
}

Status BenchRun::erase() {
  if (bench_.keep || interrupted()) {
    run_.console.note(
        absl::StrCat("left there: ", prefix_, "0 to ", prefix_, bench_.conversations - 1));
    return absl::OkStatus();
  }
  v1::DeleteConversationRequest request;
  request.set_allow_missing(true);
  const auto result = run_load_of(
      "erase", v1::DeleteConversationResponse::default_instance(),
      [&](uint64_t call) -> const google::protobuf::Message* {
        if (call >= bench_.conversations) return nullptr;
        request.set_thread_id(thread(call));
        return &request;
      },
      bench_.conversations);
  return result.first_failure;
}

LoadResult BenchRun::measure(
    const google::protobuf::Message& response,
    const std::function<const google::protobuf::Message*(uint64_t)>& next) {
  const auto end = std::chrono::steady_clock::now() + bench_.duration;
  return run_load_of(
      "measure", response,
      [&](uint64_t call) -> const google::protobuf::Message* {
        return std::chrono::steady_clock::now() < end ? next(call) : nullptr;
      },
      0);
}

Status BenchRun::append() {
  if (Status ready = prepare(1); !ready.ok()) return ready;
  v1::AppendMessagesRequest request = append_of(1);
  const auto result = measure(v1::AppendMessagesResponse::default_instance(), [&](uint64_t call) {
    request.set_thread_id(thread(call % bench_.conversations));
    request.set_request_id(fresh_request_id());
    return &request;
  });
  return conclude("append", result);
}

Status BenchRun::read() {
  if (Status ready = prepare(bench_.messages); !ready.ok()) return ready;
  v1::GetConversationRequest request;
  request.set_message_limit(bench_.messages);
  const auto result = measure(v1::GetConversationResponse::default_instance(), [&](uint64_t call) {
    request.set_thread_id(thread(call % bench_.conversations));
    return &request;
  });
  return conclude("read", result);
}

Status BenchRun::conclude(const char* verb, const LoadResult& result) {
  const Status erased = erase();
  const auto& latencies = result.latencies;
  uint64_t failed = 0;
  for (const auto& [code, count] : result.failures) failed += count;
  const auto p50 = latencies.quantile(0.5);
  const auto p99 = latencies.quantile(0.99);
  auto& out = run_.console.out;
  if (run_.console.json) {
    out << absl::StrFormat(
               R"({"bench":"%s","calls":%d,"failed":%d,"seconds":%.3f,"perSecond":%.1f,"inFlight":%d,)"
               R"("conversations":%d,"size":%d,"p50Us":%d,"p99Us":%d,"maxUs":%d,"meanUs":%d})",
               verb, latencies.count(), failed, static_cast<double>(result.elapsed.count()) / 1e6,
               result.per_second(), bench_.in_flight, bench_.conversations, bench_.size,
               p50.count(), p99.count(), latencies.max().count(), latencies.mean().count())
        << '\n';
  } else {
    print_fields(out,
                 {{verb, format_count(static_cast<uint64_t>(result.per_second())) + " calls/s"},
                  {"calls", absl::StrCat(format_count(latencies.count()), " in ",
                                         format_duration(result.elapsed))},
                  {"in flight", std::to_string(bench_.in_flight)},
                  {"p50", format_duration(p50)},
                  {"p99", format_duration(p99)},
                  {"max", format_duration(latencies.max())},
                  {"failed", failed > 0 ? format_count(failed) : ""}},
                 style_of(run_.console));
  }
  for (const auto& [code, count] : result.failures) {
    run_.console.err << "failed: " << format_count(count) << " with "
                     << code_name(static_cast<absl::StatusCode>(code)) << '\n';
  }
  return failed > 0 ? result.first_failure : erased;
}

void common_options(const Command& verb, const std::shared_ptr<Bench>& bench) {
  verb.number("--conversations", "How many [1000]", 1, 10'000'000,
              [bench](int64_t count) { bench->conversations = static_cast<uint64_t>(count); });
  verb.number("--in-flight", "Calls at a time [64]", 1, 65536,
              [bench](int64_t count) { bench->in_flight = static_cast<int>(count); });
  verb.number("--connections", "TCP connections [4]", 1, 1024,
              [bench](int64_t count) { bench->connections = static_cast<int>(count); });
  verb.text("--seconds", "How long [10]", [bench](const std::string& text) -> Status {
    const auto duration = parse_duration(text);
    if (!duration.ok()) return duration.status();
    bench->duration = *duration;
    return absl::OkStatus();
  });
  verb.text("--size", "Bytes of a message [200]", [bench](const std::string& text) -> Status {
    const auto size = parse_size(text);
    if (!size.ok()) return size.status();
    bench->size = *size;
    return absl::OkStatus();
  });
  verb.flag("--keep", "Leave the conversations there", &bench->keep);
  verb.more(
      "Each call is followed by the next one: latency counts from sending to answer. The\n"
      "conversations are its own, called bench-..., and are erased afterwards.");
}

}  // namespace

void add_bench_verbs(const Command& program) {
  const Command verb = program.verb("bench", "Load a server and say how it did");
  verb.needs_verb();
  auto bench = std::make_shared<Bench>();
  const Command append = verb.verb("append", "Durable appends of one message each");
  common_options(append, bench);
  append.runs([bench](Run& run) {
    const InterruptScope scope;
    return BenchRun(run, *bench).append();
  });
  const Command read = verb.verb("read", "Reads of the last messages");
  common_options(read, bench);
  read.number("--messages", "Messages in each conversation, all read [20]", 1, 256,
              [bench](int64_t count) { bench->messages = static_cast<int>(count); });
  read.runs([bench](Run& run) {
    const InterruptScope scope;
    return BenchRun(run, *bench).read();
  });
}

}  // namespace parley::cli
