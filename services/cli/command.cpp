#include "services/cli/command.hpp"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include <CLI/CLI.hpp>

namespace parley::cli {
namespace {

/// "-o,--output" -> "--output".
std::string last_name(const std::string& names) {
  const size_t comma = names.rfind(',');
  return comma == std::string::npos ? names : names.substr(comma + 1);
}

std::string words_of(const CLI::App* app) {
  if (app->get_parent() == nullptr) return "";
  const std::string above = words_of(app->get_parent());
  return above.empty() ? app->get_name() : absl::StrCat(above, " ", app->get_name());
}

}  // namespace

Command Command::verb(const std::string& name, const std::string& help) const {
  return {*app_->add_subcommand(name, help), *chosen_};
}

const Command& Command::more(const std::string& text) const {
  app_->footer(text);
  return *this;
}

void Command::add(const std::string& names, const std::string& help, const char* kind,
                  TakeText take, Need need) const {
  const bool repeated = need == Need::repeated || need == Need::required_repeated;
  const std::string name = last_name(names);
  auto* option = app_->add_option(
      names,
      [name, take = std::move(take)](const CLI::results_t& values) {
        for (const auto& value : values) {
          const bool shielded = !value.empty() && value.front() == k_shield;
          if (const Status taken = take(shielded ? value.substr(1) : value); !taken.ok()) {
            throw CLI::ValidationError(name, std::string(taken.message()));
          }
        }
        return true;
      },
      help);
  option->type_size(1)->type_name(option->get_positional() ? "" : kind);
  if (repeated) {
    option->expected(1, CLI::detail::expected_max_vector_size);
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    // Why: otherwise "--label a=b thread" takes the thread for a second label.
    option->allow_extra_args(option->get_positional());
  }
  if (need == Need::required || need == Need::required_repeated) option->required();
}

const Command& Command::text(const std::string& names, const std::string& help, TakeText take,
                             Need need) const {
  add(names, help, "TEXT", std::move(take), need);
  return *this;
}

const Command& Command::text(const std::string& names, const std::string& help, std::string* value,
                             Need need) const {
  return text(
      names, help,
      [value](const std::string& given) {
        *value = given;
        return absl::OkStatus();
      },
      need);
}

const Command& Command::number(const std::string& names, const std::string& help, int64_t least,
                               int64_t most, TakeNumber take) const {
  const auto take_text = [=, take = std::move(take)](const std::string& given) -> Status {
    int64_t value = 0;
    if (!absl::SimpleAtoi(given, &value) || value < least || value > most) {
      const std::string range = most == INT64_MAX ? absl::StrCat(least, " or more")
                                                  : absl::StrCat("from ", least, " to ", most);
      return absl::InvalidArgumentError(
          absl::StrCat("'", given, "' will not do; write a whole number, ", range));
    }
    take(value);
    return absl::OkStatus();
  };
  add(names, help, "NUMBER", take_text, Need::optional);
  return *this;
}

const Command& Command::flag(const std::string& names, const std::string& help,
                             std::function<void()> take) const {
  app_->add_flag_callback(names, std::move(take), help);
  return *this;
}

const Command& Command::flag(const std::string& names, const std::string& help, bool* value) const {
  return flag(names, help, [value] { *value = true; });
}

const Command& Command::runs(Verb verb) const {
  app_->callback([app = app_, chosen = chosen_, verb = std::move(verb)] {
    if (!app->get_subcommands().empty()) return;
    chosen->name = words_of(app);
    chosen->verb = verb;
  });
  return *this;
}

const Command& Command::needs_verb() const {
  app_->require_subcommand(1);
  return *this;
}

}  // namespace parley::cli
