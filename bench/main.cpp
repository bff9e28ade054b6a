#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"

#include "bench/failure.hpp"
#include "bench/machine.hpp"
#include "bench/questions.hpp"
#include "bench/sides.hpp"

namespace {

using namespace parley::bench;

struct Question {
  const char* name;
  Section (*ask)(const Settings&);
};

constexpr Question k_questions[] = {
    {"append", ask_append},     {"read", ask_read},         {"hot", ask_hot},
    {"forward", ask_forward},   {"move", ask_move},         {"journal", ask_journal},
    {"takeover", ask_takeover}, {"mixed", ask_mixed},       {"cold", ask_cold},
    {"restart", ask_restart},   {"sessions", ask_sessions}, {"storage", ask_storage},
    {"engine", ask_engine}};

/// Results are shown and written one by one, so that an interrupted run leaves what it measured.
void ask_all(const Settings& settings) {
  std::vector<std::string> order;
  for (const Question& question : k_questions) order.emplace_back(question.name);
  order.emplace_back("chaos");  // written by ./dev chaos
  for (const Question& question : k_questions) {
    const bool wanted =
        settings.questions.empty() || absl::c_linear_search(settings.questions, question.name);
    if (!wanted) continue;
    say(std::string("== ") + question.name);
    const Section section = question.ask(settings);
    const std::string text = render(section, settings);
    std::printf("%s\n", text.c_str());
    std::fflush(stdout);
    if (!settings.write_to.empty()) {
      write_results(settings.write_to, order, {{section.name, text}});
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  if (const auto code = parse_settings(argc, argv, settings)) return *code;
  // The server is the one that was built together with this program.
  setenv("PARLEY_BIN", program_directory().c_str(), 0);
  catch_interrupts();
  try {
    ask_all(settings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "parley_bench: %s\n", error.what());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
