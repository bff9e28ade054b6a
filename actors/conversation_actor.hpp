#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include "actors/environment.hpp"
#include "actors/messages.hpp"
#include "base/fifo.hpp"

namespace parley {

/// What the registry reads of an actor without asking it. Shared by both; every field is atomic.
struct Vitals {
  explicit Vitals(std::atomic<int64_t>& node_bytes) : node_bytes_(node_bytes) {}
  ~Vitals() { resize(0); }

  /// Watched: not passivated.
  std::atomic<bool> pinned{false};

  void resize(int64_t bytes) { node_bytes_ += bytes - bytes_.exchange(bytes); }
  [[nodiscard]] int64_t bytes() const { return bytes_; }

 private:
  std::atomic<int64_t> bytes_{0};
  std::atomic<int64_t>& node_bytes_;
};

/// Who starts and ends activations. Called by actors, on whichever thread runs them.
class ActivationKeeper {
 public:
  virtual ~ActivationKeeper() = default;
  /// This activation is unusable: send it no more calls, then RetireMessage.
  virtual void abandoned(const Address& address) = 0;
  /// This activation has ended; another may begin.
  virtual void retired(const Address& address) = 0;
  /// The conversation must tell a parent that it needs its past no longer.
  virtual void release_wanted(const Address& child, const ParentLink& link) = 0;
};

/// One activation of one conversation: the shell around an `Engine`.
///
/// Owned by its actor, started and ended by the registry. Runs on whichever thread runs the actor,
/// never on two at once: a call queue's thread as a rule, a thread of CAF's scheduler for loading.
/// Invariants: a call that came in is answered once; nothing is answered but what the engine says.
/// Not its job: what commands mean, when answers may go out (the engine's), when to begin and end
/// (the registry's).
class ConversationShell : private CommitWaiter {
 public:
  static inline const char* name = "conversation";

  explicit ConversationShell(caf::event_based_actor* self) : self_(self) {}
  ~ConversationShell() override;

  caf::behavior start(Environment& environment, ActivationKeeper& keeper, Address address,
                      Ownership ownership, std::shared_ptr<Vitals> vitals);

 private:
  void load();
  void handle(Call* call);
  void follow(Call* call, const Follow& wish);
  void unfollow(uint64_t watcher);
  void retire();
  void retire_if_quiet();
  void feed(Input&& input);
  void step(Input&& input);
  void keep_lease_up();

  void perform(Append& append);
  void perform(Render& render);
  void perform(Answer& answer);
  void perform(Publish& publish);
  void perform(Abandon& abandon);

  void tell_watchers(const std::shared_ptr<const EventList>& events);
  void ask_for_releases();
  [[nodiscard]] bool remembers(Version after) const;
  void report_size();

  // CommitWaiter, on the journal's thread.
  Wakeup* on_written(WriteOutcome outcome) override;

  caf::event_based_actor* self_;
  Environment* environment_ = nullptr;
  ActivationKeeper* keeper_ = nullptr;
  Address address_;
  Ownership ownership_;
  std::shared_ptr<Vitals> vitals_;

  std::optional<Engine> engine_;  ///< set once loaded
  Status load_error_;
  bool retiring_ = false;

  std::set<uint64_t> watchers_;
  std::vector<Call*> waiting_watchers_;
  /// Durable events of late, for watchers that are only a little behind; kept while there are any.
  Fifo<std::shared_ptr<const EventList>> late_events_;

  /// From a batch's hand-over until this actor hears what became of it.
  bool write_under_way_ = false;
  /// Set while the journal has a batch: keeps the actor alive for `on_written`, and says where to
  /// go. Not the actor's to look at until then.
  caf::strong_actor_ptr written_to_;
  Resumer* resumer_ = nullptr;
};

using ConversationActor = caf::stateful_actor<ConversationShell>;

}  // namespace parley
