#include "actors/inline_unit.hpp"

#include <memory>

#include <caf/logger.hpp>

namespace parley {
namespace {

/// Messages that one actor handles before the next gets its turn.
constexpr size_t k_messages_a_turn = 20;

}  // namespace

InlineUnit& InlineUnit::here(caf::actor_system& system) {
  thread_local std::unique_ptr<InlineUnit> unit;
  // Why: a test may start one actor system after another on the same thread.
  if (!unit || &unit->system() != &system) unit = std::make_unique<InlineUnit>(&system);
  return *unit;
}

void InlineUnit::run() {
  if (running_) return;
  running_ = true;
  // Why: where a spawn has set one, each turn of an actor notes its id for CAF's log in a map that
  // all threads share. That log is off.
  caf::logger::set_current_actor_system(nullptr);
  while (!ready_.empty()) {
    caf::resumable* next = ready_.back();
    ready_.pop_back();
    switch (next->resume(this, k_messages_a_turn)) {
      case caf::resumable::resume_later:
        ready_.push_back(next);
        break;
      case caf::resumable::done:
      case caf::resumable::awaiting_message:
        caf::intrusive_ptr_release(next);
        break;
      case caf::resumable::shutdown_execution_unit:
        break;
    }
  }
  running_ = false;
}

}  // namespace parley
