#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.hpp"
#include "services/cli/console.hpp"
#include "services/cli/session.hpp"

namespace CLI {
class App;
}

namespace parley::cli {

/// What a verb works with.
struct Run {
  const Console& console;
  Session& session;
};
using Verb = std::function<Status(Run&)>;

/// The verb that the command line chose.
struct Chosen {
  /// Its words, as in "backup create".
  std::string name;
  Verb verb;
};

/// One verb's place in the command line: its options and what it does. A thin layer over CLI11, so
/// that verbs need neither its headers nor its exceptions. A copyable handle; valid while the
/// command line is parsed. Values go to callbacks, mostly straight into the request; what a
/// callback refuses is a usage error.
class Command {
 public:
  /// Put before an argument that is in brackets, and taken off again before a callback sees it.
  /// Why: CLI11 takes "[a,b]" for a list written in full and would cut a message in two.
  static constexpr char k_shield = '\x01';

  using TakeText = std::function<Status(const std::string&)>;
  using TakeNumber = std::function<void(int64_t)>;
  enum class Need { optional, required, repeated, required_repeated };

  Command(CLI::App& app, Chosen& chosen) : app_(&app), chosen_(&chosen) {}

  /// A verb below this one. Its `help` is one line.
  [[nodiscard]] Command verb(const std::string& name, const std::string& help) const;
  /// Longer help, shown below the options.
  const Command& more(const std::string& text) const;
  /// An option such as "-o,--output", or a place such as "thread_id".
  const Command& text(const std::string& names, const std::string& help, TakeText take,
                      Need need = Need::optional) const;
  const Command& text(const std::string& names, const std::string& help, std::string* value,
                      Need need = Need::optional) const;
  const Command& number(const std::string& names, const std::string& help, int64_t least,
                        int64_t most, TakeNumber take) const;
  const Command& flag(const std::string& names, const std::string& help,
                      std::function<void()> take) const;
  const Command& flag(const std::string& names, const std::string& help, bool* value) const;
  /// Makes it a verb of its own, beside the verbs below it if there are any.
  const Command& runs(Verb verb) const;
  /// It does nothing by itself: one of the verbs below it must follow.
  const Command& needs_verb() const;

 private:
  void add(const std::string& names, const std::string& help, const char* kind, TakeText take,
           Need need) const;

  CLI::App* app_;
  Chosen* chosen_;
};

}  // namespace parley::cli
