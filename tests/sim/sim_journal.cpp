#include "tests/sim/sim_journal.hpp"

#include <algorithm>
#include <utility>

#include "conversation/evolve.hpp"

namespace parley::sim {
namespace {

Fate draw_fate(Rng& rng, const Rates& rates) {
  uint32_t roll = static_cast<uint32_t>(rng.below(1000));
  const std::pair<uint32_t, Fate> shares[] = {{rates.not_written, Fate::not_written},
                                              {rates.unknown_lost, Fate::lost},
                                              {rates.unknown_written, Fate::written_unknown},
                                              {rates.unknown_late, Fate::late}};
  for (const auto& [share, fate] : shares) {
    if (roll < share) return fate;
    roll -= share;
  }
  return Fate::normal;
}

}  // namespace

void SimJournal::submit(Write write) {
  write.fate = draw_fate(timeline_.rng, rates_);
  const auto id = static_cast<WriteId>(writes_.size());
  int64_t there = timeline_.rng.between(20, 600);
  if (timeline_.rng.chance(rates_.slow)) there += timeline_.rng.between(1'000, 2 * k_lease);
  const int64_t back = timeline_.rng.between(10, 300);
  timeline_.trace("write", id, write.thread, write.batch.after.value,
                  static_cast<uint64_t>(write.fate));
  switch (write.fate) {
    case Fate::normal:
    case Fate::written_unknown:
      timeline_.after(there, Do::apply, id);
      break;
    case Fate::late:
      timeline_.after(there + timeline_.rng.between(500, 2 * k_lease), Do::apply, id);
      timeline_.after(there + back, Do::outcome, id);
      break;
    case Fate::not_written:
      write.outcome = WriteOutcome::not_written;
      [[fallthrough]];
    case Fate::lost:
      timeline_.after(there + back, Do::outcome, id);
      break;
  }
  writes_.push_back(std::move(write));
}

void SimJournal::apply(WriteId id) {
  Write& write = writes_[id];
  const WriteOutcome verdict = judge(write);
  timeline_.trace("apply", id, write.thread, write.batch.after.value,
                  static_cast<uint64_t>(verdict));
  if (verdict == WriteOutcome::committed) commit(write);
  if (write.fate == Fate::late) return;  // its node was told "unknown" long ago
  if (write.fate == Fate::normal) write.outcome = verdict;
  timeline_.after(timeline_.rng.between(10, 300), Do::outcome, id);
}

WriteOutcome SimJournal::judge(const Write& write) const {
  if (write.fate == Fate::late && mutations_.late_write_accepted) return WriteOutcome::committed;
  if (mutations_.fence && write.epoch < epochs_[shard_of(write.thread)])
    return WriteOutcome::fenced;
  if (mutations_.version_check && write.batch.expected != stored_[write.thread].state.version) {
    return WriteOutcome::conflict;
  }
  return WriteOutcome::committed;
}

void SimJournal::commit(const Write& write) {
  Stored& stored = stored_[write.thread];
  const Batch& batch = write.batch;
  for (uint32_t i = 0; i < batch.events->size(); ++i) {
    const Event& event = (*batch.events)[i];
    LogEntry entry{{batch.events, i}, timeline_.step(), ++order_, write.epoch};
    const size_t place = stored.incarnation + event.version.value - 1;
    if (place < stored.log.size()) {
      stored.log[place] = std::move(entry);  // only without the version check
    } else {
      stored.log.push_back(std::move(entry));
    }
    keep_messages(stored.state, event);
    stored.state = evolve(std::move(stored.state), event);
  }
  if (batch.gone) {
    stored.state = *batch.snapshot;
    stored.incarnation = stored.log.size();
  }
  if (batch.snapshot) stored.snapshot = batch.snapshot;
}

void SimJournal::keep_messages(const State& before, const Event& event) {
  if (const auto* appended = std::get_if<MessagesAppended>(&event.body)) {
    Messages& own = messages_[before.current.history];
    size_t at = appended->first.value;
    if (own.size() < at + appended->messages.size()) own.resize(at + appended->messages.size());
    for (const auto& message : appended->messages) own[at++] = message.body;
  } else if (const auto* reset = std::get_if<ConversationReset>(&event.body)) {
    drop(reset->drops);
  } else if (const auto* released = std::get_if<ForkReleased>(&event.body)) {
    drop(released->drops);
  } else if (const auto* deleted = std::get_if<ConversationDeleted>(&event.body)) {
    drop(deleted->drops);
  }
}

void SimJournal::drop(const std::vector<HistoryDrop>& drops) {
  for (const HistoryDrop& one : drops) {
    const auto found = messages_.find(one.history);
    if (found == messages_.end()) continue;
    const size_t keep = mutations_.drop_too_much ? 0 : one.keep.value;
    if (found->second.size() > keep + 1) found->second.resize(keep + 1);
    const auto& left = found->second;
    if (std::all_of(left.begin(), left.end(), [](const auto& body) { return body == nullptr; })) {
      messages_.erase(found);
    }
  }
}

Loaded SimJournal::load(uint8_t thread) const {
  const Stored& stored = stored_[thread];
  Loaded loaded;
  if (stored.snapshot) loaded.state = *stored.snapshot;
  for (size_t i = stored.incarnation; i < stored.log.size(); ++i) {
    const Event& event = *stored.log[i].event;
    if (loaded.state.version >= event.version) continue;
    loaded.state = evolve(std::move(loaded.state), event);
    ++loaded.events_since_snapshot;
  }
  const State& state = loaded.state;
  const uint64_t last = state.last_sequence.value;
  uint64_t first = last + 1 - std::min<uint64_t>(last, state.policy.hot_window_messages);
  for (const HistorySpan& span : state.spans({shard_of(thread)})) {
    for (uint64_t at = std::max(first, span.first.value); at <= span.last.value; ++at) {
      auto body = message(span.history, {at});
      if (body == nullptr) {
        loaded.recent.clear();  // the window stays a run; whoever reads will miss it
        continue;
      }
      loaded.recent.push_back({{at}, {}, {}, Role::user, std::move(body)});
    }
  }
  return loaded;
}

void SimJournal::keep_snapshot(uint8_t thread, std::shared_ptr<const State> state) {
  Stored& stored = stored_[thread];
  // Whoever was deposed may offer an old one, even of another incarnation.
  const bool present = state->exists && state->version == stored.state.version &&
                       state->current.history == stored.state.current.history;
  if (present || mutations_.snapshot_ahead) stored.snapshot = std::move(state);
}

std::shared_ptr<const std::string> SimJournal::message(const Id128& history, Sequence at) const {
  const auto found = messages_.find(history);
  if (found == messages_.end() || at.value >= found->second.size()) return nullptr;
  return found->second[at.value];
}

std::vector<EventRef> SimJournal::events(uint8_t thread, Version after, Version through) const {
  const Stored& stored = stored_[thread];
  std::vector<EventRef> found;
  for (size_t i = stored.incarnation; i < stored.log.size(); ++i) {
    const EventRef& event = stored.log[i].event;
    if (after < event->version && !(through < event->version)) found.push_back(event);
  }
  return found;
}

}  // namespace parley::sim
