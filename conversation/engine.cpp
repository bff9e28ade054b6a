#include "conversation/engine.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace parley {
namespace {

/// Rough encoded sizes: they only decide when a snapshot pays.
constexpr size_t k_event_overhead_bytes = 48;
constexpr size_t k_dedup_entry_bytes = 48;
constexpr size_t k_state_overhead_bytes = 128;

/// A snapshot is due when the events since the last one took so many times its bytes: it is that
/// part of what is written, and so much is read beside it to begin an activation.
constexpr size_t k_events_per_snapshot = 2;

size_t rough_bytes(const State& state) {
  return k_state_overhead_bytes + state.metadata.size() + state.title.size() +
         state.source_json.size() + state.dedup.size() * k_dedup_entry_bytes +
         state.current.children.size() * 64;
}

size_t rough_bytes(const Event& event) {
  size_t bytes = k_event_overhead_bytes;
  if (const auto* appended = std::get_if<MessagesAppended>(&event.body)) {
    bytes += appended->messages.size() * 8;
  } else if (const auto* updated = std::get_if<ConversationUpdated>(&event.body)) {
    bytes += updated->metadata.size() + updated->title.size();
  }
  return bytes + (event.dedup ? k_dedup_entry_bytes : 0);
}

/// In memory: all but the remembered requests.
size_t rarely_changed_bytes(const State& state) {
  return state.metadata.capacity() + state.title.capacity() + state.source_json.capacity() +
         state.by_model.size() * 256 + state.labels.size() * 128 +
         (state.former.size() + state.current.children.size()) * 128;
}

}  // namespace

std::optional<IndexRow> index_row(const State& state) {
  if (!state.exists) return std::nullopt;
  return IndexRow{state.user, state.labels, state.lifecycle, state.last_activity};
}

Engine::Engine(Loaded loaded, Ownership ownership, const Limits& limits)
    : ownership_(ownership),
      limits_(limits),
      tentative_(std::move(loaded.state)),
      durable_(tentative_.version),
      indexed_(index_row(tentative_)),
      rarely_changed_bytes_(rarely_changed_bytes(tentative_)),
      events_since_snapshot_(loaded.events_since_snapshot),
      bytes_since_snapshot_(loaded.events_since_snapshot *
                            (k_event_overhead_bytes + k_dedup_entry_bytes)),
      snapshot_bytes_(rough_bytes(tentative_)) {
  recent_.bound(tentative_.policy.hot_window_messages, limits_.hot_window_bytes);
  for (auto& message : loaded.recent) recent_.push(std::move(message));
}

void Engine::step(Input&& input, std::vector<Output>& out) {
  std::visit([&](auto& kind) { on(std::move(kind), out); }, input);
}

void Engine::on(Submit&& submit, std::vector<Output>& out) {
  if (abandoned_) {
    out.emplace_back(Answer{submit.ticket, *abandoned_});
    return;
  }
  if (held_.size() >= limits_.waiting_calls) {
    out.emplace_back(Answer{submit.ticket, Refusal{Reason::too_many_waiting, durable_, {}}});
    return;
  }
  Decision decision = decide(tentative_, std::move(submit.command), submit.meta, submit.context);
  if (auto* accepted = std::get_if<Accept>(&decision)) {
    accept(std::move(*accepted), submit, out);
  } else if (auto* replay = std::get_if<Replay>(&decision)) {
    answer_or_hold(submit.ticket, replay->receipt, true, submit.now, out);
  } else {
    answer_or_hold(submit.ticket, std::get<Refusal>(std::move(decision)), false, submit.now, out);
  }
}

void Engine::on(Query&& query, std::vector<Output>& out) {
  if (abandoned_) {
    out.emplace_back(Answer{query.ticket, *abandoned_});
    return;
  }
  if (held_.size() >= limits_.waiting_calls) {
    out.emplace_back(Answer{query.ticket, Refusal{Reason::too_many_waiting, durable_, {}}});
    return;
  }
  Outcome outcome = Receipt{.version = tentative_.version};
  if (!tentative_.exists) {
    outcome = Refusal{Reason::conversation_not_found, {}, {}};
  } else if (tentative_.version < query.min_version) {
    outcome = Refusal{Reason::version_not_reached, tentative_.version, {}};
  } else {
    out.emplace_back(Render{query.ticket});
  }
  answer_or_hold(query.ticket, std::move(outcome), false, query.now, out);
}

void Engine::on(Written&& written, std::vector<Output>& out) {
  if (abandoned_) return;
  switch (written.outcome) {
    case WriteOutcome::committed: {
      const InFlight batch = *std::exchange(in_flight_, std::nullopt);
      durable_ = batch.after;
      ++durable_number_;
      out.emplace_back(Publish{batch.events});
      release(written.now, out);
      send_next(out);
      return;
    }
    case WriteOutcome::fenced:
      return abandon(Failure::not_owner, Failure::not_owner, out);
    case WriteOutcome::conflict:
    case WriteOutcome::not_written:
      return abandon(Failure::not_written, Failure::not_written, out);
    case WriteOutcome::unknown:
      return abandon(Failure::unknown, Failure::unknown, out);
  }
}

void Engine::on(OwnershipChanged&& changed, std::vector<Output>& out) {
  if (abandoned_) return;
  // A higher epoch means that somebody may have written in between: nothing known here counts (I7).
  // The batch under way may have been written before the epoch rose.
  if (changed.ownership.epoch != ownership_.epoch) {
    return abandon(Failure::not_owner, Failure::unknown, out);
  }
  ownership_ = changed.ownership;
}

void Engine::accept(Accept&& accepted, const Submit& submit, std::vector<Output>& out) {
  for (const Event& event : accepted.events) apply(event);
  if (submit.render) out.emplace_back(Render{submit.ticket});
  if (accepted.events.empty()) {
    return answer_or_hold(submit.ticket, accepted.receipt, false, submit.now, out);
  }
  enqueue(std::move(accepted.events));
  held_.push_back({last_number_, submit.ticket, accepted.receipt, false, true});  // I1
  send_next(out);
}

/// The tentative state runs ahead of storage; the gate hides it.
void Engine::apply(const Event& event) {
  evolve_in_place(tentative_, event);
  const auto* appended = std::get_if<MessagesAppended>(&event.body);
  // Why not asked for when it is wanted: that would touch all of the state for every append.
  if (appended == nullptr || appended->charged()) {
    rarely_changed_bytes_ = rarely_changed_bytes(tentative_);
  }
  if (appended != nullptr) {
    Sequence sequence = appended->first;
    for (const auto& message : appended->messages) {
      recent_.push({sequence, event.version, event.time, message.role, message.body});
      ++sequence.value;
    }
  } else if (std::holds_alternative<ConversationReset>(event.body) ||
             std::holds_alternative<ConversationDeleted>(event.body)) {
    recent_.clear();
  }
  recent_.bound(tentative_.policy.hot_window_messages, limits_.hot_window_bytes);
}

void Engine::enqueue(EventList&& events) {
  if (queue_.empty() || queue_.back().gone) {
    // Versions before these events; what is left of a deleted conversation stays at 0.
    queue_.push_back({++last_number_, {events.front().version.value - 1}, {}, 0, nullptr});
  }
  Open& open = queue_.back();
  for (const auto& event : events) open.bytes += rough_bytes(event);
  if (open.events.empty()) {
    open.events = std::move(events);
  } else {
    std::move(events.begin(), events.end(), std::back_inserter(open.events));
  }
  if (!tentative_.exists) open.gone = std::make_shared<const State>(tentative_);
}

void Engine::send_next(std::vector<Output>& out) {
  if (in_flight_ || queue_.empty()) return;  // I13
  Open open = queue_.pop_front();
  Batch batch;
  batch.expected = open.expected;
  batch.gone = open.gone != nullptr;
  batch.after = batch.gone ? Version{0} : open.events.back().version;
  batch.index_before = std::move(indexed_);
  // Why: with a later batch already open, the tentative state is ahead of this one. That happens
  // only behind a deletion, which carries its own state.
  indexed_ = batch.gone ? std::nullopt : index_row(tentative_);
  batch.index_after = indexed_;
  batch.owes_parents = !(batch.gone ? *open.gone : tentative_).pending_releases.empty();
  attach_snapshot(batch, open);
  batch.events = std::make_shared<const EventList>(std::move(open.events));
  in_flight_ = {batch.after, batch.events, batch.gone};
  out.emplace_back(Append{ownership_.epoch, std::move(batch)});
}

void Engine::attach_snapshot(Batch& batch, const Open& open) {
  events_since_snapshot_ += open.events.size();
  bytes_since_snapshot_ += open.bytes;
  if (batch.gone) {
    batch.snapshot = open.gone;
  } else if (queue_.empty() && events_since_snapshot_ >= limits_.snapshot_events &&
             bytes_since_snapshot_ >= k_events_per_snapshot * snapshot_bytes_) {
    batch.snapshot = std::make_shared<const State>(tentative_);
  }
  if (!batch.snapshot) return;
  events_since_snapshot_ = 0;
  bytes_since_snapshot_ = 0;
  snapshot_bytes_ = rough_bytes(*batch.snapshot);
}

void Engine::answer_or_hold(Ticket ticket, Outcome outcome, bool replayed, SteadyTime now,
                            std::vector<Output>& out) {
  if (durable_number_ < last_number_) {  // I10: it may reveal what is not durable yet
    held_.push_back({last_number_, ticket, std::move(outcome), replayed, false});
    return;
  }
  if (!owned(now)) outcome = Failure::not_owner;  // I5
  out.emplace_back(Answer{ticket, std::move(outcome), replayed});
}

void Engine::release(SteadyTime now, std::vector<Output>& out) {
  while (!held_.empty() && held_.front().needs <= durable_number_) {
    Held held = held_.pop_front();
    if (!held.proven_by_write && !owned(now)) held.outcome = Failure::not_owner;  // I5
    out.emplace_back(Answer{held.ticket, std::move(held.outcome), held.replayed});
  }
}

void Engine::abandon(Failure failure, Failure under_way, std::vector<Output>& out) {
  abandoned_ = failure == Failure::unknown ? Failure::not_written : failure;
  for (auto& held : std::exchange(held_, {})) {
    const bool handed_over = in_flight_ && held.needs == durable_number_ + 1;
    out.emplace_back(
        Answer{held.ticket, held.proven_by_write && handed_over ? under_way : *abandoned_});
  }
  in_flight_.reset();
  queue_.clear();
  out.emplace_back(Abandon{failure});
}

size_t Engine::memory_bytes() const {
  return sizeof(Engine) + rarely_changed_bytes_ + tentative_.dedup.memory_bytes() +
         recent_.bytes() + recent_.size() * (sizeof(Message) + 64) + held_.size() * sizeof(Held);
}

}  // namespace parley
