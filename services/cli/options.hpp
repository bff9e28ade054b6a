#pragma once

#include <memory>
#include <string>

#include "services/cli/arguments.hpp"
#include "services/cli/command.hpp"
#include "services/cli/print.hpp"

namespace parley::cli {

/// Options that several verbs share, straight into their requests. A request is held by a
/// shared_ptr because the option and the verb both need it, and the verb runs after parsing.

inline Style style_of(const Console& console) { return {console.colour}; }

template <class Request>
void thread_option(const Command& verb, const std::shared_ptr<Request>& request) {
  verb.text("thread_id", "Which conversation", request->mutable_thread_id(),
            Command::Need::required);
}

/// --request-id: what is not given is made fresh.
template <class Request>
void request_id_option(const Command& verb, const std::shared_ptr<Request>& request) {
  request->set_request_id(fresh_request_id());
  verb.text("--request-id", "A UUID; repeating it changes nothing [a fresh one]",
            request->mutable_request_id());
}

template <class Request>
void expected_version_option(const Command& verb, const std::shared_ptr<Request>& request) {
  verb.number("--expected-version", "Refuse unless the version is this one", 0, INT64_MAX,
              [request](int64_t version) { request->set_expected_version(version); });
}

template <class Request>
void min_version_option(const Command& verb, const std::shared_ptr<Request>& request) {
  verb.number("--min-version", "Refuse unless the version is at least this one", 0, INT64_MAX,
              [request](int64_t version) { request->set_min_version(version); });
}

/// --metadata JSON.
template <class Holder>
void metadata_option(const Command& verb, const std::string& help, std::shared_ptr<Holder> holder,
                     google::protobuf::Struct* metadata) {
  verb.text("--metadata", help,
            [holder, metadata](const std::string& json) { return parse_json(json, metadata); });
}

/// --label key=value, repeated.
template <class Holder>
void label_option(const Command& verb, const std::string& help, std::shared_ptr<Holder> holder,
                  google::protobuf::Map<std::string, std::string>* labels) {
  verb.text(
      "-l,--label", help,
      [holder, labels](const std::string& text) -> Status {
        const auto label = parse_label(text);
        if (!label.ok()) return label.status();
        (*labels)[label->first] = label->second;
        return absl::OkStatus();
      },
      Command::Need::repeated);
}

/// --prompt-tokens and so on, --cost, --model, --provider into a message or a record of usage.
template <class Target>
void usage_options(const Command& verb, std::shared_ptr<void> holder, Target* target) {
  const auto tokens = [&](const char* name, const char* help, auto setter) {
    verb.number(name, help, 0, INT64_MAX, [holder, target, setter](int64_t count) {
      (target->mutable_usage()->*setter)(count);
    });
  };
  using Usage = v1::TokenUsage;
  tokens("--prompt-tokens", "Tokens of the request", &Usage::set_prompt_tokens);
  tokens("--completion-tokens", "Tokens of the answer", &Usage::set_completion_tokens);
  tokens("--cached-tokens", "Part of the prompt served from the provider's cache",
         &Usage::set_cached_tokens);
  tokens("--cache-write-tokens", "Part of the prompt written into the provider's cache",
         &Usage::set_cache_write_tokens);
  tokens("--reasoning-tokens", "Part of the answer that was reasoning",
         &Usage::set_reasoning_tokens);
  verb.text("--cost", "Money, such as '0.0125 USD'",
            [holder, target](const std::string& text) -> Status {
              const auto money = parse_money(text);
              if (!money.ok()) return money.status();
              *target->mutable_cost() = *money;
              return absl::OkStatus();
            });
  verb.text("--model", "The model, as its provider names it", target->mutable_model());
  verb.text("--provider", "openai, anthropic, ...", target->mutable_provider());
}

/// Calls, and hands the answer on or prints it as JSON.
template <class Response, class Request, class Print>
Status call_and_print(Run& run, const Request& request, Print print) {
  const auto response = run.session.call<Response>(request);
  if (!response.ok()) return response.status();
  if (run.console.json) {
    run.console.put_json(*response);
  } else {
    print(*response);
  }
  return absl::OkStatus();
}

}  // namespace parley::cli
