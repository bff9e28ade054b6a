#include "services/cli/command_line.hpp"

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "services/cli/failures.hpp"
#include "services/cli/interrupt.hpp"
#include "services/cli/nearest.hpp"
#include "services/cli/terminal_text.hpp"
#include "services/cli/verbs.hpp"

namespace parley::cli {
namespace {

constexpr const char* k_verb_footer = "The common options stand in 'parley --help'.";

constexpr const char* k_footer = R"(The common options may stand before or after the verb.

Exit codes:
  0        done
  1        this program failed: a file, an input, an import that was refused in part
  2        the command line makes no sense
  64 + n   the server refused with gRPC status n: 67 INVALID_ARGUMENT, 68 DEADLINE_EXCEEDED,
           69 NOT_FOUND, 70 ALREADY_EXISTS, 72 RESOURCE_EXHAUSTED, 73 FAILED_PRECONDITION,
           74 ABORTED (the version is another one), 78 UNAVAILABLE, 79 DATA_LOSS (also: verify
           found damage)
  130      interrupted

Changes carry a fresh request id and are repeated with it up to three times while the server is
unavailable, so nothing happens twice. Data goes to stdout, notes and progress to stderr. NO_COLOR
switches colours off.)";

/// What the options before or after any verb say.
struct ProgramOptions {
  Connection connection;
  bool json = false;
  bool quiet = false;
};

void add_common_options(CLI::App& app, Chosen& chosen, ProgramOptions& options) {
  const Command program(app, chosen);
  const auto name = [&app](const char* option, const char* variable) {
    app.get_option(option)->envname(variable);
  };
  program.text("--address", "Where the server is [127.0.0.1:7447]", &options.connection.address);
  name("--address", "PARLEY_ADDRESS");
  program.text("--tenant", "As which tenant to speak [default]", &options.connection.tenant);
  name("--tenant", "PARLEY_TENANT");
  program.text("--deadline", "Give up after this long [30s; streams: never]",
               [&options](const std::string& text) -> Status {
                 const auto duration = parse_duration(text);
                 if (!duration.ok()) return duration.status();
                 options.connection.deadline = *duration;
                 return absl::OkStatus();
               });
  program.flag("--json", "Print the API's JSON: one object, or one a line", &options.json);
  program.flag("-q,--quiet", "No notes and no progress", &options.quiet);
}

void add_verbs(const Command& program) {
  add_conversation_verbs(program);
  add_message_verbs(program);
  add_watch_verbs(program);
  add_usage_verbs(program);
  add_import_verbs(program);
  add_export_verbs(program);
  add_admin_verbs(program);
  add_cluster_verbs(program);
#ifdef PARLEY_WITH_STORAGE
  add_storage_verbs(program);
#endif
  add_bench_verbs(program);
}

int finish(const Status& status, const Chosen& chosen, const ProgramOptions& options,
           const Console& console) {
  console.out.flush();
  if (interrupted()) return k_exit_interrupted;
  if (!status.ok()) {
    console.err << describe_failure(status, chosen.name, options.connection.address) << std::flush;
    return exit_code(status);
  }
  if (!console.out.good()) {
    console.err << "parley: " << chosen.name << ": the output could not be written\n";
    return k_exit_failure;
  }
  return k_exit_ok;
}

}  // namespace

/// The words of the verb that the arguments came to.
std::string words_of(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  if (chosen.empty()) return "";
  const std::string below = words_of(*chosen.front());
  return chosen.front()->get_name() + (below.empty() ? "" : " " + below);
}

/// What is wrong with a word that stands where a verb is asked for; empty where none does.
std::string unknown_verb(const CLI::App& app) {
  const CLI::App* place = &app;
  while (!place->get_subcommands().empty()) place = place->get_subcommands().front();
  const auto left_over = app.remaining(true);
  const auto word = std::find_if(left_over.begin(), left_over.end(), [](const auto& text) {
    return !text.empty() && text.front() != '-';
  });
  if (place->get_require_subcommand_min() == 0 || word == left_over.end()) return "";
  std::vector<std::string> verbs;
  for (const auto* verb : place->get_subcommands([](const CLI::App*) { return true; })) {
    verbs.push_back(verb->get_name());
  }
  const std::string above = place == &app ? "" : words_of(app) + " ";
  const std::string near = nearest_word(*word, verbs);
  return "there is no verb '" + above + *word + "'" +
         (near.empty() ? "" : "; did you mean '" + above + near + "'?");
}

/// Help and the version are asked for in the same way as a mistake is told: by an exception.
int explain(const CLI::App& app, const CLI::ParseError& error, const Console& console) {
  if (error.get_exit_code() == 0) {
    app.exit(error, console.out, console.err);
    console.out.flush();
    return k_exit_ok;
  }
  const std::string words = words_of(app);
  std::string message = error.what();
  std::replace(message.begin(), message.end(), '\n', ' ');
  if (const std::string unknown = unknown_verb(app); !unknown.empty()) message = unknown;
  console.err << "parley: " << (words.empty() ? "" : words + ": ") << printable(message, false)
              << "\n  what to do: see 'parley " << (words.empty() ? "" : words + " ")
              << "--help'\n";
  return k_exit_usage;
}

/// The arguments in the order that CLI11 wants, which is backwards.
std::vector<std::string> shielded(int argc, const char* const* argv) {
  std::vector<std::string> arguments;
  for (int i = argc - 1; i > 0; --i) {
    std::string text = argv[i];
    if (text.size() > 1 && text.front() == '[' && text.back() == ']') {
      text.insert(0, 1, Command::k_shield);
    }
    arguments.push_back(std::move(text));
  }
  return arguments;
}

int run_command_line(int argc, const char* const* argv, Console& console) {
  CLI::App app("Holds conversations with language models, durably. This talks to a Parley server.",
               "parley");
  Chosen chosen;
  ProgramOptions options;
  app.fallthrough();
  app.require_subcommand(1);
  app.footer(k_verb_footer);
  app.set_version_flag("--version", "parley " PARLEY_RELEASE);
  add_common_options(app, chosen, options);
  add_verbs(Command(app, chosen));
  app.footer(k_footer);
  try {
    app.parse(shielded(argc, argv));
  } catch (const CLI::ParseError& error) {
    return explain(app, error, console);
  }
  console.json = options.json;
  console.quiet = options.quiet;
  Session session(options.connection, [&console](const std::string& line) { console.note(line); });
  Run run{console, session};
  return finish(chosen.verb(run), chosen, options, console);
}

}  // namespace parley::cli
