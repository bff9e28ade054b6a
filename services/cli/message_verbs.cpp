#include <iostream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "services/cli/failures.hpp"
#include "services/cli/message_lines.hpp"
#include "services/cli/options.hpp"
#include "services/cli/progress.hpp"
#include "services/cli/verbs.hpp"

namespace parley::cli {
namespace {

struct Append {
  v1::AppendMessagesRequest request;
  v1::Message message;
  std::vector<std::string> words;
  bool create = false;
  bool json_lines = false;
  std::string user;
  std::string request_id;
};

void print_appended(const Console& console, const v1::AppendMessagesResponse& answer) {
  if (console.json) return console.put_json(answer);
  const bool one = answer.first_sequence() == answer.last_sequence();
  console.out << (one ? absl::StrCat("#", answer.last_sequence())
                      : absl::StrCat("#", answer.first_sequence(), " to #", answer.last_sequence()))
              << ", version " << answer.version() << '\n';
}

/// The whole of stdin without its last newline, as $(...) in a shell takes it.
std::string read_all(const Console& console) {
  if (console.in_is_terminal) console.note("type the message; end it with Ctrl-D");
  std::string text{std::istreambuf_iterator<char>(console.in), std::istreambuf_iterator<char>()};
  if (absl::EndsWith(text, "\n")) text.pop_back();
  return text;
}

Status append_one(Run& run, Append& append) {
  std::string text;
  if (append.words.empty() || append.words == std::vector<std::string>{"-"}) {
    text = read_all(run.console);
    if (text.empty()) {
      return usage_failure(
          "stdin is empty: nothing to append; give the text, or '' for an empty one");
    }
  } else {
    for (const auto& word : append.words) absl::StrAppend(&text, text.empty() ? "" : " ", word);
  }
  append.message.set_content(text);
  if (append.message.role() == v1::ROLE_UNSPECIFIED) append.message.set_role(v1::ROLE_USER);
  *append.request.add_messages() = append.message;
  append.request.set_request_id(append.request_id.empty() ? fresh_request_id() : append.request_id);
  const auto answer = run.session.call<v1::AppendMessagesResponse>(append.request);
  if (!answer.ok()) return answer.status();
  print_appended(run.console, *answer);
  return absl::OkStatus();
}

Status append_lines(Run& run, Append& append) {
  if (!append.request_id.empty()) {
    return usage_failure("--request-id is for one append; --json-lines makes a fresh one for each");
  }
  MessageLines lines(run.console.in);
  Progress progress(run.console, "append", false);
  uint64_t done = 0;
  while (true) {
    auto batch = lines.next_batch();
    if (!batch.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(std::string(batch.status().message()), "; ",
                                                     done, " messages were appended before it"));
    }
    if (batch->empty()) return absl::OkStatus();
    append.request.clear_messages();
    for (auto& message : *batch) *append.request.add_messages() = std::move(message);
    append.request.set_request_id(fresh_request_id());
    const auto answer = run.session.call<v1::AppendMessagesResponse>(append.request);
    if (!answer.ok()) {
      run.console.note(absl::StrCat(done, " messages were appended before it"));
      return answer.status();
    }
    // Why: the caller's expectation is about the state before the first batch.
    if (append.request.has_expected_version()) {
      append.request.set_expected_version(answer->version());
    }
    print_appended(run.console, *answer);
    done += batch->size();
    progress.update(done, 0);
  }
}

void append_options(const Command& verb, const std::shared_ptr<Append>& append) {
  auto* message = &append->message;
  thread_option(verb, std::shared_ptr<v1::AppendMessagesRequest>(append, &append->request));
  verb.text(
      "text",
      "What is said, words joined by blanks; '' for an empty message; - or nothing reads stdin",
      [append](const std::string& word) {
        append->words.push_back(word);
        return absl::OkStatus();
      },
      Command::Need::repeated);
  verb.text("-r,--role", "user, assistant, system or tool [user]",
            [append](const std::string& text) -> Status {
              const auto role = parse_role(text);
              if (!role.ok()) return role.status();
              append->message.set_role(*role);
              return absl::OkStatus();
            });
  verb.flag("-j,--json-lines", "stdin holds the API's JSON of one Message a line",
            &append->json_lines);
  verb.text("--name", "The speaker's or the tool's name", message->mutable_name());
  verb.text("--message-id", "Your own id of the message", message->mutable_message_id());
  verb.text("--metadata", "A JSON object to keep with the message",
            [append](const std::string& json) {
              return parse_json(json, append->message.mutable_metadata());
            });
  verb.flag("--pinned", "Keep it whatever else context assembly cuts",
            [append] { append->message.set_pinned(true); });
  usage_options(verb, append, message);
  verb.text("--finish-reason", "Why the model stopped", message->mutable_finish_reason());
  verb.flag("--create", "Create the conversation first, if it does not exist", &append->create);
  verb.text("-u,--user", "With --create: whose conversation it then is", &append->user);
  expected_version_option(verb,
                          std::shared_ptr<v1::AppendMessagesRequest>(append, &append->request));
  verb.text("--request-id", "A UUID; repeating it changes nothing [a fresh one]",
            &append->request_id);
}

void add_append(const Command& program) {
  auto append = std::make_shared<Append>();
  const Command verb = program.verb("append", "Append messages to a conversation");
  append_options(verb, append);
  verb.more(
      "A line of --json-lines is, for example: {\"role\":\"ROLE_USER\",\"content\":\"hi\"}\n"
      "Lines go out in appends of up to 256 messages, each all or none.");
  verb.runs([append](Run& run) -> Status {
    if (append->create) {
      append->request.mutable_create_if_missing()->set_user_id(append->user);
    } else if (!append->user.empty()) {
      return usage_failure("--user goes with --create");
    }
    if (!append->json_lines) return append_one(run, *append);
    if (!append->words.empty() && append->words != std::vector<std::string>{"-"}) {
      return usage_failure("--json-lines reads stdin; leave the text away");
    }
    return append_lines(run, *append);
  });
}

Status list_messages(Run& run, v1::ListMessagesRequest& request, bool all) {
  const Style style = style_of(run.console);
  bool first = true;
  while (true) {
    const auto page = run.session.call<v1::ListMessagesResponse>(request);
    if (!page.ok()) return page.status();
    for (const auto& message : page->messages()) {
      if (run.console.json) {
        run.console.put_json(message);
        continue;
      }
      if (!first) run.console.out << '\n';
      first = false;
      print_message(run.console.out, message, style);
    }
    if (page->next_page_token().empty()) return absl::OkStatus();
    if (!all) {
      run.console.note("there are more: --all, or --page-token " + page->next_page_token());
      return absl::OkStatus();
    }
    request.set_page_token(page->next_page_token());
  }
}

void filter_options(const Command& verb, const std::shared_ptr<v1::ListMessagesRequest>& request) {
  verb.text(
      "-r,--role", "Only this role's; may be repeated",
      [request](const std::string& text) -> Status {
        const auto role = parse_role(text);
        if (!role.ok()) return role.status();
        request->mutable_filter()->add_roles(*role);
        return absl::OkStatus();
      },
      Command::Need::repeated);
  verb.number("--from-sequence", "Not before this sequence", 1, INT64_MAX,
              [request](int64_t from) { request->mutable_filter()->set_from_sequence(from); });
  verb.number("--to-sequence", "Not after this sequence", 1, INT64_MAX,
              [request](int64_t to) { request->mutable_filter()->set_to_sequence(to); });
  verb.text("--since", "Not before this time (2024-05-01T12:00:00Z)",
            [request](const std::string& text) {
              return parse_time(text, request->mutable_filter()->mutable_from_time());
            });
  verb.text("--until", "Before this time", [request](const std::string& text) {
    return parse_time(text, request->mutable_filter()->mutable_to_time());
  });
  verb.text("--metadata", "A JSON object of fields that must have these values",
            [request](const std::string& json) {
              return parse_json(json, request->mutable_filter()->mutable_metadata());
            });
}

void add_messages(const Command& program) {
  auto request = std::make_shared<v1::ListMessagesRequest>();
  auto all = std::make_shared<bool>(false);
  const Command verb = program.verb("messages", "List messages of a conversation, oldest first");
  thread_option(verb, request);
  filter_options(verb, request);
  verb.flag("--newest-first", "The other way round",
            [request] { request->set_order(v1::MESSAGE_ORDER_NEWEST_FIRST); });
  verb.number("--page-size", "How many at a time [50]", 1, 1000,
              [request](int64_t count) { request->set_page_size(static_cast<int32_t>(count)); });
  verb.text("--page-token", "Go on where an earlier page ended", request->mutable_page_token());
  verb.flag("--all", "All pages", [all] { *all = true; });
  min_version_option(verb, request);
  verb.runs([request, all](Run& run) {
    if (*all && request->page_size() == 0) request->set_page_size(1000);
    return list_messages(run, *request, *all);
  });
}

}  // namespace

void add_message_verbs(const Command& program) {
  add_append(program);
  add_messages(program);
}

}  // namespace parley::cli
