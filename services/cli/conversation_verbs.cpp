#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "services/cli/failures.hpp"
#include "services/cli/options.hpp"
#include "services/cli/verbs.hpp"

namespace parley::cli {
namespace {

void policy_options(const Command& verb, const std::function<v1::ConversationPolicy*()>& policy) {
  verb.number("--hot-window", "Recent messages kept in memory", 1, 1000, [policy](int64_t count) {
    policy()->set_hot_window_messages(static_cast<int32_t>(count));
  });
  verb.number("--dedup-window", "Request ids remembered for retries", 1, 16384,
              [policy](int64_t count) {
                policy()->set_dedup_window_requests(static_cast<int32_t>(count));
              });
}

void add_create(const Command& program) {
  auto request = std::make_shared<v1::CreateConversationRequest>();
  const Command verb = program.verb("create", "Create a conversation; prints its id");
  verb.text("thread_id", "The id wanted [a fresh one]", request->mutable_thread_id());
  verb.text("-u,--user", "Whose conversation it is", request->mutable_user_id());
  verb.text("--title", "Its title", request->mutable_title());
  metadata_option(verb, "A JSON object to keep with it", request, request->mutable_metadata());
  label_option(verb, "key=value to list it by; may be repeated", request,
               request->mutable_labels());
  policy_options(verb, [request] { return request->mutable_policy(); });
  verb.flag("--get-or-create", "Take the one that is there, if it is",
            [request] { request->set_get_or_create(true); });
  request_id_option(verb, request);
  verb.runs([request](Run& run) {
    if (request->metadata().fields_size() == 0) request->clear_metadata();
    return call_and_print<v1::CreateConversationResponse>(run, *request, [&](const auto& answer) {
      run.console.out << answer.conversation().thread_id() << '\n';
      run.console.note(absl::StrCat(answer.created() ? "created" : "was there already",
                                    ", version ", answer.conversation().version()));
    });
  });
}

Status get_many(Run& run, const std::vector<std::string>& ids, int32_t limit) {
  v1::BatchGetConversationsRequest request;
  for (const auto& id : ids) request.add_thread_ids(id);
  request.set_message_limit(limit);
  const auto answer = run.session.call<v1::BatchGetConversationsResponse>(request);
  if (!answer.ok()) return answer.status();
  bool first = true;
  for (const auto& conversation : answer->conversations()) {
    if (run.console.json) {
      run.console.put_json(conversation);
      continue;
    }
    if (!first) run.console.out << '\n';
    first = false;
    print_conversation(run.console.out, conversation, style_of(run.console));
  }
  for (const auto& id : answer->not_found()) run.console.err << "not found: " << id << '\n';
  for (const auto& id : answer->unreachable())
    run.console.err << "not readable now: " << id << '\n';
  if (answer->unreachable_size() > 0) {
    return failure_like_call(absl::StatusCode::kUnavailable, "some could not be read; ask again");
  }
  if (answer->not_found_size() > 0) {
    return failure_like_call(absl::StatusCode::kNotFound, "some do not exist");
  }
  return absl::OkStatus();
}

void add_get(const Command& program) {
  struct Options {
    std::vector<std::string> ids;
    v1::GetConversationRequest request;
    bool only_current = true;
  };
  auto options = std::make_shared<Options>();
  options->request.set_message_limit(20);
  const Command verb = program.verb("get", "Show conversations with their recent messages");
  verb.text(
      "thread_id", "Which ones, up to 100",
      [options](const std::string& id) {
        options->ids.push_back(id);
        return absl::OkStatus();
      },
      Command::Need::required_repeated);
  verb.number("-n,--messages", "How many recent messages [20]", 0, 1000, [options](int64_t count) {
    options->request.set_message_limit(static_cast<int32_t>(count));
  });
  verb.number("--as-of-version", "As it was at this version", 1, INT64_MAX, [options](int64_t at) {
    options->request.set_as_of_version(at);
    options->only_current = false;
  });
  verb.number("--min-version", "Refuse unless the version is at least this one", 0, INT64_MAX,
              [options](int64_t least) {
                options->request.set_min_version(least);
                options->only_current = false;
              });
  verb.runs([options](Run& run) -> Status {
    if (options->ids.size() > 1) {
      if (!options->only_current) {
        return usage_failure("--as-of-version and --min-version are for one conversation");
      }
      return get_many(run, options->ids, std::min(50, options->request.message_limit()));
    }
    options->request.set_thread_id(options->ids.front());
    const auto answer = run.session.call<v1::GetConversationResponse>(options->request);
    if (!answer.ok()) return answer.status();
    if (run.console.json) {
      run.console.put_json(answer->conversation());
    } else {
      print_conversation(run.console.out, answer->conversation(), style_of(run.console));
    }
    return absl::OkStatus();
  });
}

Status print_page(const Console& console, const v1::ListConversationsResponse& page, bool first) {
  Table table = conversation_table();
  for (const auto& conversation : page.conversations()) {
    if (console.json) console.put_json(conversation);
    add_row(table, conversation);
  }
  if (!console.json && page.conversations_size() > 0) {
    table.print(console.out, style_of(console), first);
  }
  if (first && page.conversations_size() == 0) console.note("no conversations");
  if (page.unreachable_shards_size() == 0) return absl::OkStatus();
  return failure_like_call(absl::StatusCode::kUnavailable,
                           absl::StrCat("the list is incomplete: ", page.unreachable_shards_size(),
                                        " shards could not be read now; ask again"));
}

Status list(Run& run, v1::ListConversationsRequest& request, bool all) {
  Status outcome;
  for (bool first = true;; first = false) {
    const auto page = run.session.call<v1::ListConversationsResponse>(request);
    if (!page.ok()) return page.status();
    outcome.Update(print_page(run.console, *page, first));
    if (page->next_page_token().empty()) return outcome;
    if (!all) {
      run.console.note("there are more: --all, or --page-token " + page->next_page_token());
      return outcome;
    }
    request.set_page_token(page->next_page_token());
  }
}

void add_list(const Command& program) {
  auto request = std::make_shared<v1::ListConversationsRequest>();
  auto all = std::make_shared<bool>(false);
  const Command verb = program.verb("list", "List conversations, newest activity first");
  verb.text("-u,--user", "Only this user's", request->mutable_user_id());
  label_option(verb, "Only those with this label, key=value; may be repeated", request,
               request->mutable_labels());
  verb.text("--state", "Only active or archived ones",
            [request](const std::string& text) -> Status {
              const auto state = parse_state(text);
              if (!state.ok()) return state.status();
              request->set_state(*state);
              return absl::OkStatus();
            });
  verb.number("--page-size", "How many at a time [50]", 1, 1000,
              [request](int64_t count) { request->set_page_size(static_cast<int32_t>(count)); });
  verb.text("--page-token", "Go on where an earlier page ended", request->mutable_page_token());
  verb.flag("--all", "All pages", [request, all] { *all = true; });
  verb.runs([request, all](Run& run) {
    if (*all && request->page_size() == 0) request->set_page_size(1000);
    return list(run, *request, *all);
  });
}

void add_update(const Command& program) {
  auto request = std::make_shared<v1::UpdateConversationRequest>();
  auto* values = request->mutable_conversation();
  const auto mask = [request](const char* field) {
    for (const auto& path : request->update_mask().paths()) {
      if (path == field) return;
    }
    request->mutable_update_mask()->add_paths(field);
  };
  const Command verb = program.verb("update", "Change title, metadata, labels, user or state");
  thread_option(verb, request);
  const auto text = [&](const char* name, const char* help, const char* field, std::string* to) {
    verb.text(name, help, [=](const std::string& value) {
      *to = value;
      mask(field);
      return absl::OkStatus();
    });
  };
  text("--title", "The new title", "title", values->mutable_title());
  text("-u,--user", "Whose conversation it now is", "user_id", values->mutable_user_id());
  verb.text("--metadata", "A JSON object to merge into it; null removes",
            [=](const std::string& json) {
              mask("metadata");
              return parse_json(json, values->mutable_metadata());
            });
  label_option(verb, "key=value to set, key= to remove; may be repeated", request,
               values->mutable_labels());
  policy_options(verb, [request] { return request->mutable_conversation()->mutable_policy(); });
  const auto state = [&](const char* name, const char* help, v1::ConversationState to) {
    verb.flag(name, help, [=] {
      values->set_state(to);
      mask("state");
    });
  };
  state("--archive", "Make it read-only", v1::CONVERSATION_STATE_ARCHIVED);
  state("--activate", "Make it take messages again", v1::CONVERSATION_STATE_ACTIVE);
  expected_version_option(verb, request);
  request_id_option(verb, request);
  verb.runs([request, mask](Run& run) -> Status {
    if (request->conversation().labels_size() > 0) mask("labels");
    if (request->conversation().has_policy()) mask("policy");
    if (request->update_mask().paths_size() == 0) {
      return usage_failure("nothing to change; give --title, --metadata, --label or another");
    }
    return call_and_print<v1::UpdateConversationResponse>(run, *request, [&](const auto& answer) {
      print_conversation(run.console.out, answer.conversation(), style_of(run.console));
    });
  });
}

void add_fork(const Command& program) {
  auto request = std::make_shared<v1::ForkConversationRequest>();
  const Command verb =
      program.verb("fork", "Make a conversation that shares this one's past; prints its id");
  thread_option(verb, request);
  verb.number("--at-sequence", "The last message to share [all]", 0, INT64_MAX,
              [request](int64_t sequence) { request->set_at_sequence(sequence); });
  verb.text("--new-id", "The fork's id [a fresh one]", request->mutable_new_thread_id());
  verb.text("--title", "The fork's title [the parent's]", request->mutable_title());
  expected_version_option(verb, request);
  request_id_option(verb, request);
  verb.runs([request](Run& run) {
    return call_and_print<v1::ForkConversationResponse>(run, *request, [&](const auto& answer) {
      run.console.out << answer.conversation().thread_id() << '\n';
      run.console.note(absl::StrCat("shares ", answer.conversation().message_count(),
                                    " messages; the parent is at version ",
                                    answer.parent_version()));
    });
  });
}

/// What cannot be undone is asked for, or answered beforehand.
Status confirm(const Console& console, const std::string& question) {
  if (!console.in_is_terminal) {
    return usage_failure("there is no terminal to ask on whether you are sure; --yes says so");
  }
  console.err << question << " Type yes: " << std::flush;
  std::string answer;
  std::getline(console.in, answer);
  if (answer == "yes") return absl::OkStatus();
  return absl::CancelledError("nothing was changed; --yes answers beforehand");
}

void add_reset(const Command& program) {
  auto request = std::make_shared<v1::ResetConversationRequest>();
  auto yes = std::make_shared<bool>(false);
  const Command verb =
      program.verb("reset", "Clear messages and usage; identity, metadata and labels stay");
  thread_option(verb, request);
  verb.flag("-y,--yes", "Do not ask; needed where stdin is no terminal", [yes] { *yes = true; });
  expected_version_option(verb, request);
  request_id_option(verb, request);
  verb.runs([request, yes](Run& run) -> Status {
    if (!*yes) {
      const Status sure =
          confirm(run.console, "Clear all messages of " + request->thread_id() + "?");
      if (!sure.ok()) return sure;
    }
    return call_and_print<v1::ResetConversationResponse>(run, *request, [&](const auto& answer) {
      run.console.out << "reset, version " << answer.conversation().version() << '\n';
    });
  });
}

void add_delete(const Command& program) {
  auto request = std::make_shared<v1::DeleteConversationRequest>();
  auto yes = std::make_shared<bool>(false);
  const Command verb = program.verb("delete", "Erase every byte of a conversation, for ever");
  thread_option(verb, request);
  verb.flag("-y,--yes", "Do not ask; needed where stdin is no terminal", [yes] { *yes = true; });
  verb.flag("--allow-missing", "It is well where there is nothing to delete",
            [request] { request->set_allow_missing(true); });
  expected_version_option(verb, request);
  request_id_option(verb, request);
  verb.runs([request, yes](Run& run) -> Status {
    if (!*yes) {
      const Status sure = confirm(run.console, "Erase " + request->thread_id() + " for ever?");
      if (!sure.ok()) return sure;
    }
    return call_and_print<v1::DeleteConversationResponse>(run, *request, [&](const auto& answer) {
      if (answer.version() == 0) {
        run.console.out << "there was nothing to delete\n";
      } else {
        run.console.out << "deleted at version " << answer.version() << '\n';
      }
    });
  });
}

}  // namespace

void add_conversation_verbs(const Command& program) {
  add_create(program);
  add_get(program);
  add_list(program);
  add_update(program);
  add_fork(program);
  add_reset(program);
  add_delete(program);
}

}  // namespace parley::cli
