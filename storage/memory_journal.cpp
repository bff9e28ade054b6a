#include "storage/memory_journal.hpp"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/check.hpp"
#include "conversation/evolve.hpp"
#include "storage/pages.hpp"

namespace parley {
namespace {

constexpr Epoch k_first_epoch{1};

bool shows_before(const ListedConversation& a, const ListedConversation& b) {
  if (a.last_activity != b.last_activity) return a.last_activity > b.last_activity;
  return a.thread < b.thread;
}

void strip(Event& event) {
  if (auto* appended = std::get_if<MessagesAppended>(&event.body)) {
    for (auto& message : appended->messages) message.body = nullptr;
  }
}

}  // namespace

MemoryJournal::MemoryJournal(MemoryOptions options)
    : options_(std::move(options)), epochs_(options_.shard_count, k_first_epoch) {
  if (options_.worker_thread) worker_ = std::thread([this] { work(); });
}

MemoryJournal::~MemoryJournal() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  if (worker_.joinable()) worker_.join();
}

Result<Loaded> MemoryJournal::load(const ConversationKey& key, Shard shard) {
  const std::lock_guard lock(mutex_);
  ++loads_[key];
  const auto found = conversations_.find(key);
  if (found == conversations_.end()) return Loaded{};
  const State& state = found->second.state;
  Loaded loaded{state, {}};
  if (state.last_sequence.value == 0 || state.policy.hot_window_messages == 0) return loaded;
  auto recent = page(recent_range(state, shard), {.count_max = state.policy.hot_window_messages,
                                                  .bytes_max = options_.limits.hot_window_bytes});
  if (!recent.ok()) return recent.status();
  loaded.recent.assign(std::make_move_iterator(recent->rbegin()),
                       std::make_move_iterator(recent->rend()));
  return loaded;
}

void MemoryJournal::commit(Commit commit, CommitWaiter* waiter) {
  std::unique_lock lock(mutex_);
  const bool loaded = loads_.contains(commit.key);
  Task task{std::move(commit), waiter, loaded};
  if (options_.worker_thread) {
    queue_.push_back(std::move(task));
    lock.unlock();
    arrived_.notify_one();
    return;
  }
  const WriteOutcome outcome = carry_out(task);
  lock.unlock();
  tell({{waiter, outcome}});
}

WriteOutcome MemoryJournal::carry_out(const Task& task) {
  const Commit& commit = task.commit;
  PARLEY_CHECK(commit.shard.value < epochs_.size());
  if (commit.epoch < epochs_[commit.shard.value]) return WriteOutcome::fenced;
  const auto found = conversations_.find(commit.key);
  const Version at = found == conversations_.end() ? Version{} : found->second.state.version;
  if (!task.loaded || at != commit.batch.expected) return WriteOutcome::conflict;
  store(commit, conversations_[commit.key]);
  return WriteOutcome::committed;
}

void MemoryJournal::store(const Commit& commit, Stored& stored) {
  const Batch& batch = commit.batch;
  const Effects effects = effects_of(batch, head_of(stored.state));
  for (const auto& placed : effects.messages) {
    histories_[{commit.shard, placed.history}][placed.message.sequence] = placed.message;
  }
  for (const auto& gone : effects.drops) drop({commit.shard, gone.history}, gone.keep);
  if (batch.gone) {
    stored = {*batch.snapshot, {}, *batch.snapshot};
    if (stored.state.vanished()) conversations_.erase(commit.key);
    return;
  }
  if (!stored.state.exists) stored.before = stored.state;
  for (const Event& event : *batch.events) {
    stored.state = evolve(std::move(stored.state), event);
    stored.events.push_back(event);
    strip(stored.events.back());
  }
}

void MemoryJournal::drop(const HistoryPlace& place, Sequence keep) {
  const auto found = histories_.find(place);
  if (found == histories_.end()) return;
  found->second.erase(found->second.upper_bound(keep), found->second.end());
  if (found->second.empty()) histories_.erase(found);
}

void MemoryJournal::tell(std::vector<Told> told) {
  auto run = [told = std::move(told)] {
    std::vector<Wakeup*> wakeups;
    for (const Told& one : told) {
      Wakeup* wakeup = one.waiter->on_written(one.outcome);
      if (wakeup != nullptr && std::find(wakeups.begin(), wakeups.end(), wakeup) == wakeups.end()) {
        wakeups.push_back(wakeup);
      }
    }
    for (Wakeup* wakeup : wakeups) wakeup->flush();
  };
  if (options_.executor) {
    options_.executor(std::move(run));
  } else {
    run();
  }
}

void MemoryJournal::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::vector<Told> told;
    for (const Task& task : std::exchange(queue_, {})) {
      told.push_back({task.waiter, carry_out(task)});
    }
    lock.unlock();
    tell(std::move(told));
    lock.lock();
  }
}

void MemoryJournal::keep_snapshot(const ConversationKey&, Shard, std::shared_ptr<const State>) {}

void MemoryJournal::release(const ConversationKey& key) {
  const std::lock_guard lock(mutex_);
  const auto found = loads_.find(key);
  if (found != loads_.end() && --found->second == 0) loads_.erase(found);
}

Status MemoryJournal::raise_epoch(Shard shard, Epoch epoch) {
  const std::lock_guard lock(mutex_);
  PARLEY_CHECK(shard.value < epochs_.size());
  epochs_[shard.value] = std::max(epochs_[shard.value], epoch);
  return absl::OkStatus();
}

Epoch MemoryJournal::epoch(Shard shard) const {
  const std::lock_guard lock(mutex_);
  PARLEY_CHECK(shard.value < epochs_.size());
  return epochs_[shard.value];
}

Result<State> MemoryJournal::read_state(const ConversationKey& key, Shard) {
  const std::lock_guard lock(mutex_);
  const auto found = conversations_.find(key);
  if (found == conversations_.end() || !found->second.state.exists) return nothing_stored(key);
  return found->second.state;
}

Result<State> MemoryJournal::read_state_at(const ConversationKey& key, Shard, Version version) {
  const std::lock_guard lock(mutex_);
  const auto found = conversations_.find(key);
  if (found == conversations_.end() || !found->second.state.exists) return nothing_stored(key);
  const Stored& stored = found->second;
  if (version.value == 0 || version > stored.state.version) {
    return version_not_stored(key, version, stored.state.version);
  }
  State state = stored.before;
  for (size_t i = 0; i < version.value; ++i) state = evolve(std::move(state), stored.events[i]);
  return state;
}

std::shared_ptr<const std::string> MemoryJournal::body_of(const HistoryPlace& place,
                                                          Sequence sequence) const {
  const auto history = histories_.find(place);
  if (history == histories_.end()) return nullptr;
  const auto message = history->second.find(sequence);
  return message == history->second.end() ? nullptr : message->second.body;
}

void MemoryJournal::fill_bodies(MessagesAppended& appended, const HistoryPlace& place) const {
  Sequence sequence = appended.first;
  for (auto& message : appended.messages) {
    message.body = body_of(place, sequence);
    ++sequence.value;
  }
}

Result<EventList> MemoryJournal::read_events(const ConversationKey& key, Shard shard, Version after,
                                             PageBounds bounds) {
  const std::lock_guard lock(mutex_);
  const auto found = conversations_.find(key);
  if (found == conversations_.end() || !found->second.state.exists) return nothing_stored(key);
  const Stored& stored = found->second;
  EventList events;
  PageFill fill(bounds);
  for (uint64_t i = after.value; i < stored.events.size() && !fill.full(); ++i) {
    Event event = stored.events[i];
    size_t bytes = rough_event_bytes(event);
    auto* appended = std::get_if<MessagesAppended>(&event.body);
    if (appended != nullptr && event.version > stored.state.reset_version) {
      fill_bodies(*appended, {shard, stored.state.current.history});
      bytes += appended->bytes;
    }
    if (fill.take(bytes)) events.push_back(std::move(event));
  }
  return events;
}

Result<std::vector<Message>> MemoryJournal::read_messages(const MessageRange& range,
                                                          PageBounds bounds) {
  const std::lock_guard lock(mutex_);
  return page(range, bounds);
}

Result<std::vector<Message>> MemoryJournal::page(const MessageRange& range,
                                                 PageBounds bounds) const {
  std::vector<Message> messages;
  PageFill fill(bounds);
  for (const HistorySpan& part : parts_of(range)) {
    const auto history = histories_.find({part.shard, part.history});
    for (uint64_t i = 0; i <= part.last.value - part.first.value && !fill.full(); ++i) {
      const Sequence sequence{range.newest_first ? part.last.value - i : part.first.value + i};
      if (history == histories_.end() || !history->second.contains(sequence)) {
        return absl::DataLossError(absl::StrCat("message ", sequence.value, " of history ",
                                                part.history.hex(), " is missing"));
      }
      const Message& message = history->second.at(sequence);
      if (fill.take(message.body->size())) messages.push_back(message);
    }
  }
  return messages;
}

Result<ListedPage> MemoryJournal::list(const ListQuery& query) {
  const std::lock_guard lock(mutex_);
  std::vector<ListedConversation> listed;
  for (const auto& [key, stored] : conversations_) {
    if (!matches(query, key, stored.state)) continue;
    ListedConversation row{key.thread, stored.state.last_activity};
    if (query.after && !shows_before({query.after->thread, query.after->last_activity}, row)) {
      continue;
    }
    listed.push_back(std::move(row));
  }
  std::sort(listed.begin(), listed.end(), shows_before);
  if (listed.size() > query.count_max) listed.resize(query.count_max);
  return ListedPage{std::move(listed), {}};
}

Result<std::vector<UnfinishedRelease>> MemoryJournal::unfinished_releases() {
  const std::lock_guard lock(mutex_);
  std::vector<UnfinishedRelease> unfinished;
  for (const auto& [key, stored] : conversations_) {
    if (!stored.state.pending_releases.empty()) unfinished.push_back({key});
  }
  return unfinished;
}

}  // namespace parley
