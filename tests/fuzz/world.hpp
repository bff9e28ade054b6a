#pragma once

#include <array>
#include <map>
#include <set>

#include "conversation/decide.hpp"
#include "conversation/evolve.hpp"
#include "conversation/fork.hpp"
#include "conversation/invariants.hpp"
#include "storage/codec.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/storage/rows.hpp"
#include "tests/support/builders.hpp"

namespace parley::fuzz {

/// A few conversations that fork one another, with a model of what storage keeps of their messages.
///
/// Each change is judged by check_step; the state out of stored and read events must be the live
/// one (I11); a repetition at once must be answered the same (I2); and whatever a conversation
/// shows must not have been erased (D8). The protocol between parent and child is that of the
/// services.
class World {
 public:
  static constexpr size_t k_threads = 4;
  static constexpr Shard k_shard{7};

  struct Fork {
    size_t parent;
    size_t child;
    Id128 history;
  };

  World() {
    limits_.forks_per_conversation = 5;
    limits_.fork_depth = 3;
    limits_.labels = 3;
    limits_.metadata_bytes = 60;
    limits_.metadata_depth = 3;
  }

  static std::string name(size_t thread) { return "t" + std::to_string(thread); }
  [[nodiscard]] const State& state(size_t thread) const { return lives_[thread].state; }
  [[nodiscard]] const std::vector<Fork>& forks() const { return forks_; }
  void pass(int64_t micros) { now_ += micros; }

  Decision run(size_t thread, const Command& command, const CommandMeta& meta) {
    Life& life = lives_[thread];
    const Context context{{now_}, build::id(next_history_++), k_shard, &limits_};
    Decision decision = decide(life.state, command, meta, context);
    if (const auto* refusal = std::get_if<Refusal>(&decision)) {
      expect(refusal->current == life.state.version, "a refusal of another version");
    } else if (const auto* accepted = std::get_if<Accept>(&decision)) {
      expect(!meta.expected || *meta.expected == life.state.version, "accepted at another version");
      const Version before = life.state.version;
      for (const Event& event : accepted->events) step(life, event);
      check_receipt(*accepted, before, life.state);
      if (!accepted->events.empty()) check_repetition(life.state, command, meta, accepted->receipt);
    } else {
      expect(!meta.request.empty(), "a repetition without a request id");
    }
    return decision;
  }

  /// The parent notes the fork; the child is created by `create_child`, perhaps never.
  Decision note_fork(size_t parent, size_t child, std::optional<Sequence> at,
                     const CommandMeta& meta) {
    Decision decision = run(parent, NoteFork{name(child), at}, meta);
    if (const auto* accepted = std::get_if<Accept>(&decision)) {
      forks_.push_back({parent, child, accepted->receipt.fork});
    }
    return decision;
  }

  void create_child(const Fork& fork) {
    auto point = fork_point(state(fork.parent), name(fork.parent), k_shard, fork.history);
    if (!point) return;
    CreateConversation command;
    command.fork = std::move(point);
    const Decision decision = run(fork.child, command, {});
    const auto* refusal = std::get_if<Refusal>(&decision);
    // Why: "fork not found" means that the child was there and its own forks may still show its
    // past.
    if (refusal != nullptr && refusal->reason != Reason::fork_not_found) {
      run(fork.parent, ReleaseFork{fork.history}, {});
    }
  }

  /// Parents are told of one fork that is gone, as far as `steps` goes: told (1), and known (2).
  void release(size_t child, size_t steps) {
    if (state(child).pending_releases.empty()) return;
    const ParentLink link = state(child).pending_releases.front();
    if (steps >= 1) run(thread_of(link.thread), ReleaseFork{link.child_history}, {});
    if (steps >= 2) run(child, ConfirmRelease{link.child_history}, {});
  }

  /// Everything is deleted and every release carried out: nothing may be left, neither of states
  /// nor of messages.
  void end() {
    for (size_t thread = 0; thread < k_threads; ++thread) run(thread, DeleteConversation{true}, {});
    // A fork that was noted, but whose child was never made, is let go by who asked for it.
    for (const Fork& fork : forks_) {
      if (!is_known_to_child(fork)) run(fork.parent, ReleaseFork{fork.history}, {});
    }
    for (size_t round = 0; !all_released(); ++round) {
      expect(round < 10'000, "releases that never end");
      for (size_t thread = 0; thread < k_threads; ++thread) release(thread, 2);
    }
    for (const Life& life : lives_)
      expect(life.state.former.empty(), "a lineage that nobody needs");
    expect(stored_.empty(), "messages that nobody will ever erase");
  }

 private:
  struct Life {
    State state;
    State replayed;
  };

  static size_t thread_of(const std::string& name) { return static_cast<size_t>(name.at(1) - '0'); }

  void step(Life& life, const Event& event) {
    expect(event.time >= life.state.last_activity, "I4: a time before that of the event before");
    State after = evolve(life.state, event);
    if (const auto wrong = check_step(life.state, event, after)) expect(false, *wrong);
    store(life.state, event);
    const auto read = decode_event(encode_event(event));
    expect(read.ok(), "an event that cannot be read back");
    life.replayed = evolve(std::move(life.replayed), *read);
    expect(life.replayed == after, "I11: replaying gives another state");
    const auto snapshot = decode_state(encode_state(after));
    expect(snapshot.ok() && *snapshot == after, "a snapshot that is not the state");
    life.replayed = *snapshot;
    life.state = std::move(after);
    check_shown(life.state);
  }

  void store(const State& before, const Event& event) {
    if (const auto* appended = std::get_if<MessagesAppended>(&event.body)) {
      for (size_t i = 0; i < appended->messages.size(); ++i) {
        stored_[before.current.history].insert(appended->first.value + i);
      }
    }
    const auto drop = [&](const auto& body) {
      if constexpr (requires { body.drops; }) {
        for (const HistoryDrop& dropped : body.drops) erase_after(dropped);
        for (const Life& life : lives_) {
          if (&life.state != &before) check_shown(life.state);
        }
      }
    };
    std::visit(drop, event.body);
  }

  void erase_after(const HistoryDrop& drop) {
    auto& sequences = stored_[drop.history];
    sequences.erase(sequences.upper_bound(drop.keep.value), sequences.end());
    if (sequences.empty()) stored_.erase(drop.history);
  }

  void check_shown(const State& state) {
    uint64_t next = 1;
    for (const HistorySpan& span : state.spans(k_shard)) {
      const auto stored = stored_.find(span.history);
      for (; next <= span.last.value; ++next) {
        expect(stored != stored_.end() && stored->second.contains(next),
               "D8: a message is shown that was erased");
      }
    }
    expect(next == state.last_sequence.value + 1, "I3: spans that do not reach the last message");
  }

  static void check_receipt(const Accept& accepted, Version before, const State& after) {
    if (accepted.events.empty()) {
      expect(accepted.receipt.version == before, "nothing changed, but the version");
      return;
    }
    const Event& last = accepted.events.back();
    expect(accepted.receipt.time == last.time, "a receipt of another time");
    const bool deleted = std::holds_alternative<ConversationDeleted>(last.body);
    expect(accepted.receipt.version == (deleted ? before : last.version), "a receipt's version");
    expect(!deleted || !after.exists, "deleted, and still there");
  }

  /// I2: the same again is answered the same, and writes nothing; another body under its id is
  /// refused.
  void check_repetition(const State& state, const Command& command, CommandMeta meta,
                        const Receipt& receipt) {
    if (meta.request.empty()) return;
    const Context context{{now_}, build::id(next_history_++), k_shard, &limits_};
    const Decision again = decide(state, command, meta, context);
    const auto* replay = std::get_if<Replay>(&again);
    expect(replay != nullptr && replay->receipt == receipt, "I2: a repetition was judged anew");
    ++meta.digest;
    const Decision other = decide(state, command, meta, context);
    const auto* refusal = std::get_if<Refusal>(&other);
    expect(refusal != nullptr && refusal->reason == Reason::request_id_reused,
           "I2: one request id for two requests");
  }

  [[nodiscard]] bool is_known_to_child(const Fork& fork) const {
    const State& child = state(fork.child);
    for (const auto& lineage : child.former) {
      if (lineage.history == fork.history) return true;
    }
    for (const auto& link : child.pending_releases) {
      if (link.child_history == fork.history) return true;
    }
    return false;
  }

  [[nodiscard]] bool all_released() const {
    for (const Life& life : lives_) {
      if (!life.state.pending_releases.empty()) return false;
    }
    return true;
  }

  Limits limits_;
  std::array<Life, k_threads> lives_;
  std::vector<Fork> forks_;
  std::map<Id128, std::set<uint64_t>> stored_;  ///< sequences by history
  int64_t now_ = 1'000'000;
  uint64_t next_history_ = 1'000'000;
};

}  // namespace parley::fuzz
