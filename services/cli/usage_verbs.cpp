#include <iostream>

#include "services/cli/failures.hpp"
#include "services/cli/options.hpp"
#include "services/cli/verbs.hpp"

namespace parley::cli {
namespace {

void add_record(const Command& above) {
  auto request = std::make_shared<v1::RecordUsageRequest>();
  const Command verb =
      above.verb("record", "Record tokens or money that belong to no single message");
  thread_option(verb, request);
  usage_options(verb, request, request.get());
  expected_version_option(verb, request);
  request_id_option(verb, request);
  verb.runs([request](Run& run) -> Status {
    if (!request->has_usage() && !request->has_cost()) {
      return usage_failure("nothing to record; give --prompt-tokens, --cost or another");
    }
    return call_and_print<v1::RecordUsageResponse>(run, *request, [&](const auto& answer) {
      run.console.out << "recorded, version " << answer.version() << '\n';
    });
  });
}

}  // namespace

void add_usage_verbs(const Command& program) {
  auto request = std::make_shared<v1::GetUsageRequest>();
  const Command verb = program.verb("usage", "Tokens and money of a conversation");
  // Why: not required for CLI11, as "usage record" has a thread_id of its own.
  verb.text("thread_id", "Which conversation", request->mutable_thread_id());
  verb.number("--history", "Show this many records, oldest first", 1, 1000,
              [request](int64_t count) { request->set_page_size(static_cast<int32_t>(count)); });
  verb.text("--page-token", "Go on where an earlier page ended", request->mutable_page_token());
  min_version_option(verb, request);
  verb.runs([request](Run& run) -> Status {
    if (request->thread_id().empty()) return usage_failure("thread_id is required");
    return call_and_print<v1::GetUsageResponse>(run, *request, [&](const auto& answer) {
      print_usage(run.console.out, answer, style_of(run.console));
      if (!answer.next_page_token().empty()) {
        run.console.note("there is more history: --page-token " + answer.next_page_token());
      }
    });
  });
  add_record(verb);
}

}  // namespace parley::cli
