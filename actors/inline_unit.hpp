#pragma once

#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/execution_unit.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/resumable.hpp>

namespace parley {

/// Runs actors on the calling thread instead of CAF's scheduler: a hand-over to another thread
/// costs more than a conversation's whole work (docs/ARCHITECTURE.md, D16).
///
/// One for each thread, made on first use, gone with the thread. Actors stay plain CAF actors: the
/// mailbox still lets one thread at a time run one. The only file that touches CAF's scheduler
/// types.
class InlineUnit final : public caf::execution_unit {
 public:
  explicit InlineUnit(caf::actor_system* system) : caf::execution_unit(system) {}
  ~InlineUnit() override { run(); }

  static InlineUnit& here(caf::actor_system& system);

  /// Puts a message into the mailbox; if that wakes the actor, it is run by the next `run` of this
  /// thread.
  template <class Message>
  void enqueue(const caf::actor& actor, Message message) {
    enqueue(caf::actor_cast<caf::abstract_actor*>(actor), std::move(message));
  }
  template <class Message>
  void enqueue(caf::abstract_actor* actor, Message message) {
    actor->enqueue(
        caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, std::move(message)), this);
  }

  /// Runs what was woken until nothing is left. Called from within a running actor it does nothing:
  /// the outer call goes on with it.
  void run();

  void exec_later(caf::resumable* woken) override { ready_.push_back(woken); }

 private:
  std::vector<caf::resumable*> ready_;
  bool running_ = false;
};

}  // namespace parley
