#include "conversation/decide.hpp"

#include <algorithm>
#include <utility>

#include "conversation/evolve.hpp"
#include "conversation/metadata.hpp"

namespace parley {
namespace {

/// One command being judged: the state as it is, and the accepted events so far.
struct Case {
  const State& state;
  const CommandMeta& meta;
  const Context& context;

  [[nodiscard]] Refusal refuse(Reason reason, std::string detail = {}) const {
    return {reason, state.version, std::move(detail)};
  }
  /// Wall clocks jump; a conversation's times never go back.
  [[nodiscard]] WallTime now() const { return std::max(context.now, state.last_activity); }

  [[nodiscard]] Event next(EventBody body) const {
    return {state.version.next(), now(), std::nullopt, std::move(body)};
  }
  [[nodiscard]] Receipt receipt() const { return {.version = state.version, .time = now()}; }

  /// One event that raises the version by one.
  [[nodiscard]] Accept accept(EventBody body, Receipt receipt) const {
    Accept accepted;
    accepted.events.push_back(next(std::move(body)));
    receipt.version = accepted.events.back().version;
    accepted.receipt = receipt;
    return accepted;
  }
  [[nodiscard]] Accept accept(EventBody body) const { return accept(std::move(body), receipt()); }
  [[nodiscard]] Accept nothing_to_change() const { return {{}, receipt()}; }
};

Lineage fresh_lineage(const Context& context) { return {.history = context.fresh_history}; }

ConversationCreated created_from(CreateConversation&& command, const Case& at) {
  ConversationCreated created{.user = std::move(command.user),
                              .title = std::move(command.title),
                              .metadata = std::move(command.metadata),
                              .labels = std::move(command.labels),
                              .policy = command.policy,
                              .source_json = std::move(command.source_json),
                              .lineage = fresh_lineage(at.context),
                              .origin = std::nullopt};
  if (!command.fork) return created;
  ForkPoint& fork = *command.fork;
  created.user = std::move(fork.user);
  if (created.title.empty()) created.title = std::move(fork.title);
  created.metadata = std::move(fork.metadata);
  created.labels = std::move(fork.labels);
  created.policy = fork.policy;
  created.lineage.history = fork.parent.child_history;
  created.lineage.past = std::move(fork.past);
  created.lineage.parent = std::move(fork.parent);
  created.origin = std::move(fork.origin);
  return created;
}

/// This fork was made here before, and was reset or deleted since.
bool fork_is_over(const State& state, const Id128& history) {
  return std::any_of(state.former.begin(), state.former.end(),
                     [&](const Lineage& lineage) { return lineage.history == history; }) ||
         std::any_of(state.pending_releases.begin(), state.pending_releases.end(),
                     [&](const ParentLink& link) { return link.child_history == history; });
}

Decision on(const Case& at, CreateConversation&& command) {
  if (command.fork) {
    // The same fork asked for again after its first answer was lost: its history proves that it is
    // it.
    const Id128& history = command.fork->parent.child_history;
    if (at.state.exists && at.state.current.history == history) return at.nothing_to_change();
    // Why: neither "exists", upon which the parent would be told to let go of messages that forks
    // of this one may still show, nor a second life for a history that has messages already.
    if (fork_is_over(at.state, history)) return at.refuse(Reason::fork_not_found);
  }
  if (at.state.exists) {
    if (command.get_or_create) return at.nothing_to_change();
    return at.refuse(Reason::conversation_exists);
  }
  if (command.fork && command.fork->past.size() > at.context.limits->fork_depth) {
    return at.refuse(Reason::fork_too_deep);
  }
  Receipt receipt = at.receipt();
  receipt.created = true;
  return at.accept(created_from(std::move(command), at), receipt);
}

Decision append(const Case& at, AppendMessages&& command, Accept accepted) {
  MessagesAppended appended{
      .first = {at.state.last_sequence.value + 1}, .bytes = 0, .messages = {}};
  appended.messages.reserve(command.messages.size());
  for (auto& message : command.messages) {
    appended.bytes += message.body->size();
    appended.messages.push_back({message.role, std::move(message.body), std::move(message.charge)});
  }
  accepted.receipt.first = appended.first;
  accepted.receipt.last = {appended.first.value + appended.messages.size() - 1};
  accepted.events.push_back(at.next(std::move(appended)));
  accepted.receipt.version = accepted.events.back().version;
  accepted.receipt.time = accepted.events.back().time;
  return accepted;
}

Decision on(const Case& at, AppendMessages&& command) {
  if (!at.state.exists) {
    if (!command.create_if_missing) return at.refuse(Reason::conversation_not_found);
    CreateConversation create = std::move(*command.create_if_missing);
    Accept accepted = at.accept(created_from(std::move(create), at));
    accepted.receipt.created = true;
    const State made = evolve(at.state, accepted.events.back());
    return append(Case{made, at.meta, at.context}, std::move(command), std::move(accepted));
  }
  if (at.state.lifecycle == Lifecycle::archived) return at.refuse(Reason::conversation_archived);
  return append(at, std::move(command), {{}, at.receipt()});
}

void merge_labels(std::map<std::string, std::string>& labels,
                  std::map<std::string, std::string>&& patch) {
  for (auto& [key, value] : patch) {
    if (value.empty()) {
      labels.erase(key);
    } else {
      labels[key] = std::move(value);
    }
  }
}

Decision on(const Case& at, UpdateConversation&& command) {
  const State& state = at.state;
  const Limits& limits = *at.context.limits;
  if (!state.exists) return at.refuse(Reason::conversation_not_found);
  ConversationUpdated updated{.user = command.user.value_or(state.user),
                              .title = command.title.value_or(state.title),
                              .metadata = state.metadata,
                              .labels = state.labels,
                              .policy = command.policy.value_or(state.policy),
                              .lifecycle = command.lifecycle.value_or(state.lifecycle)};
  if (command.metadata_patch) {
    auto merged = merge_metadata(state.metadata, *command.metadata_patch, limits.metadata_depth);
    if (!merged.ok()) {
      return at.refuse(Reason::metadata_invalid, std::string(merged.status().message()));
    }
    if (merged->size() > limits.metadata_bytes) {
      return at.refuse(Reason::metadata_too_large, std::to_string(merged->size()));
    }
    updated.metadata = *std::move(merged);
  }
  if (command.labels_patch) merge_labels(updated.labels, *std::move(command.labels_patch));
  if (updated.labels.size() > limits.labels) {
    return at.refuse(Reason::too_many_labels, std::to_string(updated.labels.size()));
  }
  return at.accept(std::move(updated));
}

Decision on(const Case& at, RecordUsage&& command) {
  if (!at.state.exists) return at.refuse(Reason::conversation_not_found);
  return at.accept(UsageRecorded{std::move(command.charge)});
}

Decision on(const Case& at, ResetConversation&&) {
  if (!at.state.exists) return at.refuse(Reason::conversation_not_found);
  return at.accept(
      ConversationReset{fresh_lineage(at.context), drops_on_abandoning_current(at.state)});
}

Decision on(const Case& at, DeleteConversation&& command) {
  if (!at.state.exists) {
    if (command.allow_missing) return at.nothing_to_change();
    return at.refuse(Reason::conversation_not_found);
  }
  Receipt receipt = at.receipt();
  Accept accepted = at.accept(ConversationDeleted{drops_on_abandoning_current(at.state)}, receipt);
  accepted.receipt.version = at.state.version;
  return accepted;
}

Decision on(const Case& at, NoteFork&& command) {
  const State& state = at.state;
  if (!state.exists) return at.refuse(Reason::conversation_not_found);
  const Sequence shared = command.at.value_or(state.last_sequence);
  if (shared > state.last_sequence) {
    return at.refuse(Reason::sequence_out_of_range, std::to_string(state.last_sequence.value));
  }
  if (state.current.children.size() >= at.context.limits->forks_per_conversation) {
    return at.refuse(Reason::too_many_forks);
  }
  if (state.current.past.size() + 1 > at.context.limits->fork_depth) {
    return at.refuse(Reason::fork_too_deep);
  }
  Receipt receipt = at.receipt();
  receipt.fork = at.context.fresh_history;
  receipt.last = shared;
  return at.accept(ForkNoted{{std::move(command.child_thread), at.context.fresh_history, shared}},
                   receipt);
}

Decision on(const Case& at, ReleaseFork&& command) {
  if (at.state.lineage_of_child(command.child_history) == nullptr) {
    return at.refuse(Reason::fork_not_found);
  }
  return at.accept(
      ForkReleased{command.child_history, drops_on_release(at.state, command.child_history)});
}

Decision on(const Case& at, ConfirmRelease&& command) {
  const auto& waiting = at.state.pending_releases;
  const bool known = std::any_of(waiting.begin(), waiting.end(), [&](const ParentLink& link) {
    return link.child_history == command.child_history;
  });
  if (!known) return at.nothing_to_change();
  return at.accept(ReleaseConfirmed{command.child_history});
}

/// A repetition is answered before anything else is judged: what it depended on may have moved on.
std::optional<DedupEntry> remembered(const State& state, const CommandMeta& meta) {
  if (meta.request.empty()) return std::nullopt;
  return state.dedup.find(meta.request);
}

}  // namespace

Decision decide(const State& state, Command command, const CommandMeta& meta,
                const Context& context) {
  const Case at{state, meta, context};
  if (const auto entry = remembered(state, meta)) {  // I2
    if (entry->digest != meta.digest) return at.refuse(Reason::request_id_reused);
    // Why: nobody keeps the past of a fork that was released, so it must not be handed out again.
    const Id128& fork = entry->receipt.fork;
    if (!fork.empty() && state.lineage_of_child(fork) == nullptr) {
      return at.refuse(Reason::fork_not_found);
    }
    return Replay{entry->receipt};
  }
  if (meta.expected && *meta.expected != state.version) return at.refuse(Reason::version_mismatch);
  Decision decision = std::visit([&](auto& asked) { return on(at, std::move(asked)); }, command);
  if (auto* accepted = std::get_if<Accept>(&decision);
      accepted != nullptr && !meta.request.empty() && !accepted->events.empty()) {
    accepted->events.back().dedup = DedupEntry{meta.request, meta.digest, accepted->receipt};
  }
  return decision;
}

}  // namespace parley
