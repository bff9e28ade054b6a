#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>

#include "actors/inline_unit.hpp"
#include "actors/registry.hpp"
#include "tests/support/held_journal.hpp"

namespace parley {

/// Clocks that a test moves.
class SetClock final : public Clock {
 public:
  WallTime wall_now{1'700'000'000'000'000};
  SteadyTime steady_now{1'000'000};
  [[nodiscard]] WallTime wall() const override { return wall_now; }
  [[nodiscard]] SteadyTime steady() const override { return steady_now; }
};

/// Ids 1, 2, 3, ...
class CountingIds final : public IdSource {
 public:
  Id128 fresh() override {
    Id128 id;
    id.bytes[15] = static_cast<uint8_t>(++last_);
    id.bytes[14] = static_cast<uint8_t>(last_ >> 8);
    id.bytes[0] = 1;
    return id;
  }

 private:
  uint32_t last_ = 0;
};

/// Finished writes go to CAF's scheduler, which here is the test's.
class ScheduledResumer final : public Resumer {
 public:
  void written(caf::strong_actor_ptr actor, WriteOutcome outcome) override {
    last = caf::actor_cast<caf::actor>(actor);
    caf::anon_send(last, WrittenMessage{outcome});
  }
  void flush() override {}

  caf::actor last;  ///< whose write came back last
};

/// What a call was answered with.
struct Answered {
  std::optional<Outcome> outcome;
  bool replayed = false;
  std::optional<Status> failure;
  std::optional<Version> rendered;
  std::vector<Version> events;
  std::optional<Version> look_back;

  [[nodiscard]] bool any() const { return outcome || failure || !events.empty() || look_back; }
  [[nodiscard]] const Receipt& receipt() const { return std::get<Receipt>(*outcome); }
  [[nodiscard]] Reason refused() const { return std::get<Refusal>(*outcome).reason; }
};

class TestCall final : public Call {
 public:
  TestCall(Address address, Kind kind, std::shared_ptr<Answered> answered)
      : answered_(std::move(answered)) {
    to = std::move(address);
    what = std::move(kind);
  }
  [[nodiscard]] bool expired() const override { return expired_; }
  void expire() { expired_ = true; }
  void render(const State& state, const RecentMessages&) override {
    answered_->rendered = state.version;
  }
  void answer(Outcome outcome, bool replayed) override {
    answered_->outcome = std::move(outcome);
    answered_->replayed = replayed;
    delete this;
  }
  void fail(Status status) override {
    answered_->failure = std::move(status);
    delete this;
  }
  void events(std::vector<std::shared_ptr<const EventList>> lists) override {
    for (const auto& list : lists) {
      for (const auto& event : *list) answered_->events.push_back(event.version);
    }
    delete this;
  }
  void look_back(Version durable) override {
    answered_->look_back = durable;
    delete this;
  }

 private:
  std::shared_ptr<Answered> answered_;
  bool expired_ = false;
};

/// One node's actors in virtual time on one thread: nothing runs but what the test runs.
class ActorWorld {
 public:
  explicit ActorWorld(RegistryOptions options = {}) {
    system_ =
        std::make_unique<caf::actor_system>(config_.set("scheduler.policy", caf::atom("testing")));
    registry_ = std::make_unique<Registry>(*system_, environment, options);
  }
  ~ActorWorld() {
    resumer.last = nullptr;
    journal.let_all_pass();
    while (journal.waiting() > 0) journal.finish_next();
    registry_->retire_all();
    run();
    registry_.reset();
  }

  Registry& registry() { return *registry_; }

  /// Runs everything that is due on the scheduler.
  void run() {
    auto& scheduler = dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler());
    do {
      InlineUnit::here(*system_).run();
    } while (scheduler.run() > 0);
  }

  /// Runs everything that is due on the scheduler, and this the first time that something is run
  /// inline meanwhile.
  void run_jobs_with(caf::resumable& meanwhile) {
    InlineUnit::here(*system_).exec_later(&meanwhile);
    dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler()).run();
    run();
  }

  [[nodiscard]] Address address(const std::string& thread) const {
    return Address::of({"default", thread}, environment.shard_count);
  }

  std::shared_ptr<Answered> ask(const std::string& thread, Call::Kind kind) {
    auto answered = std::make_shared<Answered>();
    registry_->dispatch(new TestCall(address(thread), std::move(kind), answered));
    run();
    return answered;
  }

  std::shared_ptr<Answered> append(const std::string& thread, const std::string& text) {
    return ask(thread, append_of(text));
  }
  static Mutate append_of(const std::string& text) {
    AppendMessages append;
    append.messages.push_back(
        {Role::user, std::make_shared<const std::string>(text), std::nullopt});
    append.create_if_missing = CreateConversation{};
    return {std::move(append), {}};
  }

  HeldJournal journal;
  SetClock clock;
  CountingIds ids;
  ScheduledResumer resumer;
  Limits limits;
  Environment environment{journal, clock, ids, limits, resumer, 16};

 private:
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  std::unique_ptr<Registry> registry_;
};

}  // namespace parley
