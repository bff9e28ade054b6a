#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.hpp"
#include "conversation/decide.hpp"
#include "conversation/engine.hpp"
#include "conversation/evolve.hpp"

/// Builders for tests of the core: each states one fact, the rest has plain defaults.
namespace parley::build {

using Labels = std::map<std::string, std::string>;

/// An id made of one number; 0 is the empty id.
inline Id128 id(uint64_t number) {
  Id128 made;
  for (size_t i = 0; i < sizeof number; ++i) {
    made.bytes[15 - i] = static_cast<uint8_t>(number >> (8 * i));
  }
  return made;
}

inline std::shared_ptr<const std::string> body(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

inline NewMessage message(std::string text, Role role = Role::user) {
  return {role, body(std::move(text)), std::nullopt};
}

inline NewMessage priced_message(std::string text, Charge charge) {
  return {Role::assistant, body(std::move(text)), std::move(charge)};
}

inline AppendMessages append(std::vector<std::string> texts) {
  AppendMessages command;
  for (auto& text : texts) command.messages.push_back(message(std::move(text)));
  return command;
}

inline CreateConversation create(std::string user = "u") {
  CreateConversation command;
  command.user = std::move(user);
  return command;
}

inline AppendMessages append_or_create(std::vector<std::string> texts) {
  AppendMessages command = append(std::move(texts));
  command.create_if_missing = create();
  return command;
}

inline UpdateConversation archive() {
  UpdateConversation command;
  command.lifecycle = Lifecycle::archived;
  return command;
}

inline CommandMeta request(uint64_t number, uint64_t digest = 1) {
  return {.request = id(number), .digest = digest};
}

inline CommandMeta expecting(uint64_t version) { return {.expected = Version{version}}; }

inline Money money(std::string currency, int64_t units, int32_t nanos) {
  return {std::move(currency), units, nanos};
}

/// A context whose fresh history differs from call to call.
class Contexts {
 public:
  explicit Contexts(const Limits& limits) : limits_(limits) {}
  Context at(int64_t micros) { return {{micros}, id(next_history_++), {}, &limits_}; }

 private:
  const Limits& limits_;
  uint64_t next_history_ = 1'000'000;
};

/// One conversation driven through `decide` and `evolve`, keeping every event.
class Conversation {
 public:
  explicit Conversation(Limits limits = {}) : limits_(limits), contexts_(limits_) {}
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  Decision judge(Command command, const CommandMeta& meta = {}) {
    return decide(state_, std::move(command), meta, contexts_.at(now_));
  }
  /// Judges, and applies what was accepted.
  Decision run(Command command, const CommandMeta& meta = {}) {
    Decision decision = judge(std::move(command), meta);
    if (const auto* accepted = std::get_if<Accept>(&decision)) {
      for (const Event& event : accepted->events) {
        state_ = evolve(std::move(state_), event);
        events_.push_back(event);
      }
    }
    return decision;
  }
  /// As `run`, for what must be accepted or be a repetition.
  Receipt must(Command command, const CommandMeta& meta = {}) {
    const Decision decision = run(std::move(command), meta);
    if (const auto* accepted = std::get_if<Accept>(&decision)) return accepted->receipt;
    PARLEY_CHECK(std::holds_alternative<Replay>(decision));
    return std::get<Replay>(decision).receipt;
  }
  /// As `run`, for what must be refused.
  Reason refused(Command command, const CommandMeta& meta = {}) {
    const Decision decision = run(std::move(command), meta);
    PARLEY_CHECK(std::holds_alternative<Refusal>(decision));
    return std::get<Refusal>(decision).reason;
  }

  Conversation& at(int64_t micros) {
    now_ = micros;
    return *this;
  }

  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] const EventList& events() const { return events_; }

 private:
  Limits limits_;
  Contexts contexts_;
  State state_;
  EventList events_;
  int64_t now_ = 1;
};

}  // namespace parley::build
