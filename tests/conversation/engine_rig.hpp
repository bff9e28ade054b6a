#pragma once

#include <optional>
#include <vector>

#include "conversation/engine.hpp"
#include "tests/support/builders.hpp"

namespace parley {

/// An engine with a shell that only keeps what comes out, and answers nothing by itself.
class EngineRig {
 public:
  explicit EngineRig(Limits limits = {}, Loaded loaded = {},
                     Ownership ownership = {{1}, SteadyTime::never()})
      : limits_(limits), contexts_(limits_), engine_(std::move(loaded), ownership, limits_) {}
  EngineRig(const EngineRig&) = delete;
  EngineRig& operator=(const EngineRig&) = delete;

  EngineRig& submit(Ticket ticket, Command command, const CommandMeta& meta = {}) {
    return step(Submit{ticket, std::move(command), meta, contexts_.at(now_), {now_}});
  }
  EngineRig& query(Ticket ticket, uint64_t min_version = 0) {
    return step(Query{ticket, {min_version}, {now_}});
  }
  EngineRig& written(WriteOutcome outcome = WriteOutcome::committed) {
    return step(Written{outcome, {now_}});
  }
  EngineRig& owns(uint64_t epoch, int64_t until = INT64_MAX) {
    return step(OwnershipChanged{{{epoch}, {until}}});
  }
  EngineRig& at(int64_t micros) {
    now_ = micros;
    return *this;
  }

  /// The last step's outputs of one kind.
  template <class T>
  [[nodiscard]] std::vector<T> all() const {
    std::vector<T> found;
    for (const Output& output : out_) {
      if (const auto* one = std::get_if<T>(&output)) found.push_back(*one);
    }
    return found;
  }
  [[nodiscard]] std::optional<Outcome> answer(Ticket ticket) const {
    for (const Answer& answer : all<Answer>()) {
      if (answer.ticket == ticket) return answer.outcome;
    }
    return std::nullopt;
  }
  [[nodiscard]] bool failed(Ticket ticket, Failure failure) const {
    const auto outcome = answer(ticket);
    return outcome && std::holds_alternative<Failure>(*outcome) &&
           std::get<Failure>(*outcome) == failure;
  }
  [[nodiscard]] bool refused(Ticket ticket, Reason reason) const {
    const auto outcome = answer(ticket);
    return outcome && std::holds_alternative<Refusal>(*outcome) &&
           std::get<Refusal>(*outcome).reason == reason;
  }
  [[nodiscard]] std::optional<Receipt> receipt(Ticket ticket) const {
    const auto outcome = answer(ticket);
    if (!outcome || !std::holds_alternative<Receipt>(*outcome)) return std::nullopt;
    return std::get<Receipt>(*outcome);
  }
  [[nodiscard]] std::optional<Batch> batch() const {
    const auto appends = all<Append>();
    return appends.empty() ? std::nullopt : std::optional(appends.front().batch);
  }
  [[nodiscard]] const std::vector<Output>& out() const { return out_; }
  [[nodiscard]] const Engine& engine() const { return engine_; }

 private:
  EngineRig& step(Input input) {
    out_.clear();
    engine_.step(std::move(input), out_);
    return *this;
  }

  Limits limits_;
  build::Contexts contexts_;
  Engine engine_;
  std::vector<Output> out_;
  int64_t now_ = 0;
};

}  // namespace parley
