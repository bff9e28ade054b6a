#include "tests/sim/watches.hpp"

#include <algorithm>

namespace parley::sim {

Watches::Watches(Timeline& timeline, History& history, const SimJournal& journal,
                 const Mutations& mutations, Stats& stats)
    : timeline_(timeline),
      history_(history),
      journal_(journal),
      mutations_(mutations),
      stats_(stats) {
  for (uint8_t i = 0; i < 4; ++i) watchers_.push_back({.thread = static_cast<uint8_t>(i % 3)});
}

void Watches::start() {
  for (uint32_t i = 0; i < watchers_.size(); ++i) {
    timeline_.after(timeline_.rng.between(10, 5000), Do::watch, i);
  }
}

void Watches::tick(uint32_t id, const std::vector<std::unique_ptr<SimNode>>& nodes,
                   const Leases& leases) {
  Watcher& watcher = watchers_[id];
  timeline_.after(timeline_.rng.between(1000, 8000), Do::watch, id);
  if (watcher.node >= 0) {
    if (!timeline_.rng.chance(200)) return;
    watcher.node = -1;  // lost without notice
  }
  const int owner = leases.owner(shard_of(watcher.thread));
  const bool ask_owner = owner >= 0 && timeline_.rng.chance(700);
  const int node = ask_owner ? owner : static_cast<int>(timeline_.rng.below(k_nodes));
  const Engine* engine = nodes[static_cast<size_t>(node)]->serving(watcher.thread);
  if (engine != nullptr) return attach(watcher, node, *engine);
  nodes[static_cast<size_t>(node)]->wake(watcher.thread);
}

/// What was missed first, as far as the engine knows it to be durable; the rest is published.
void Watches::attach(Watcher& watcher, int node, const Engine& engine) {
  const auto stored = journal_.events(watcher.thread, {}, engine.durable());
  const ConversationCreated* created =
      stored.empty() ? nullptr : std::get_if<ConversationCreated>(&stored.front()->body);
  if (watcher.watching && (created == nullptr || created->lineage.history != watcher.history)) {
    watcher.watching = false;  // it was deleted meanwhile; what is there now is another one
  }
  watcher.node = node;
  if (created == nullptr) return;
  if (!watcher.watching) {
    const bool from_start = timeline_.rng.chance(500);
    const Version from = from_start ? Version{} : stored.back()->version;
    watcher.segment = static_cast<uint32_t>(history_.watched.size());
    history_.watched.push_back({watcher.thread, created->lineage.history, from, {}});
    watcher.watching = true;
    watcher.history = created->lineage.history;
    watcher.last = from;
  } else {
    ++stats_.resumed;
  }
  for (const EventRef& event : stored) {
    if (watcher.last < event->version) show(watcher, event);
  }
}

void Watches::show(Watcher& watcher, const EventRef& event) {
  ++stats_.watched;
  watcher.last = event->version;
  history_.watched[watcher.segment].shown.push_back({event, timeline_.step()});
  if (std::holds_alternative<ConversationDeleted>(event->body)) watcher.watching = false;
}

void Watches::publish(uint8_t node, uint8_t thread,
                      const std::shared_ptr<const EventList>& events) {
  for (Watcher& watcher : watchers_) {
    if (watcher.node != node || watcher.thread != thread) continue;
    for (uint32_t i = 0; i < events->size(); ++i) {
      const EventRef event{events, i};
      if (const auto* created = std::get_if<ConversationCreated>(&event->body)) {
        watcher.segment = static_cast<uint32_t>(history_.watched.size());
        history_.watched.push_back({thread, created->lineage.history, {}, {}});
        watcher.watching = true;
        watcher.history = created->lineage.history;
      }
      if (mutations_.watch_skips_one && timeline_.rng.chance(50)) continue;
      if (watcher.watching) show(watcher, event);
    }
  }
}

void Watches::detach(uint8_t node, uint8_t thread) {
  for (Watcher& watcher : watchers_) {
    if (watcher.node == node && watcher.thread == thread) watcher.node = -1;
  }
}

void Watches::detach_all() {
  for (Watcher& watcher : watchers_) watcher.node = -1;
}

bool Watches::caught_up() const {
  return std::all_of(watchers_.begin(), watchers_.end(), [&](const Watcher& watcher) {
    const State& state = journal_.state(watcher.thread);
    if (!state.exists) return watcher.node >= 0;
    return watcher.watching && watcher.last == state.version;
  });
}

}  // namespace parley::sim
