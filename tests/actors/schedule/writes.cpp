#include "tests/actors/schedule/writes.hpp"

#include <set>
#include <utility>

namespace parley::schedule {
namespace {

constexpr uint32_t k_lies_per_mille = 150;

MessagesAppended* only_append(EventList& events) {
  return events.size() == 1 ? std::get_if<MessagesAppended>(&events.front().body) : nullptr;
}

/// The messages of two batches in each other's place, where both are plain appends of one.
bool swap_messages(Commit& one, Commit& other) {
  EventList first = *one.batch.events;
  EventList second = *other.batch.events;
  auto* in_first = only_append(first);
  auto* in_second = only_append(second);
  if (in_first == nullptr || in_second == nullptr) return false;
  if (in_first->messages.size() != in_second->messages.size()) return false;
  std::swap(in_first->messages, in_second->messages);
  one.batch.events = std::make_shared<const EventList>(std::move(first));
  other.batch.events = std::make_shared<const EventList>(std::move(second));
  return true;
}

}  // namespace

bool Writes::any() const { return stage_.journal.waiting() > 0 || owed_.has_value(); }

void Writes::finish_one() {
  HeldJournal& journal = stage_.journal;
  if (owed_ && (journal.waiting() == 0 || stage_.rng.chance(300))) return keep_owed(nullptr);
  const size_t chosen = stage_.rng.below(journal.waiting());
  stage_.trace("write", chosen, journal.waiting());
  finish(journal.take(chosen));
}

void Writes::finish(HeldJournal::Waiting write) {
  Stage& stage = stage_;
  const Rates& rates = stage.rates;
  if (owed_ && owed_->commit.key == write.commit.key) return keep_owed(&write);
  if (stage.rng.chance(rates.not_written)) return tell(write, WriteOutcome::not_written);
  if (stage.rng.chance(rates.conflict)) return tell(write, WriteOutcome::conflict);
  if (stage.rng.chance(rates.unknown_lost)) return tell(write, WriteOutcome::unknown);
  if (stage.rng.chance(rates.unknown_kept)) {
    keep(write.commit);
    return tell(write, WriteOutcome::unknown);
  }
  if (stage.lie != Lie::none && stage.rng.chance(k_lies_per_mille)) return lie_about(write);
  const WriteOutcome outcome = keep(write.commit);
  const bool lying = stage.lie == Lie::commits_what_it_fences && outcome == WriteOutcome::fenced;
  tell(write, lying ? WriteOutcome::committed : outcome);
}

void Writes::lie_about(HeldJournal::Waiting write) {
  switch (stage_.lie) {
    case Lie::tells_before_keeping:
    case Lie::swaps_two:
      if (owed_) keep_owed(nullptr);
      owed_ = write;
      return tell(write, WriteOutcome::committed);
    case Lie::keeps_nothing:
      return tell(write, WriteOutcome::committed);
    case Lie::denies_what_it_keeps:
      keep(write.commit);
      return tell(write, WriteOutcome::not_written);
    case Lie::loses_a_wakeup:
      stage_.scheduled.lose_next = stage_.bell.lose_next = true;
      tell(write, keep(write.commit));
      stage_.scheduled.lose_next = stage_.bell.lose_next = false;
      return;
    case Lie::none:
    case Lie::commits_what_it_fences:
    case Lie::skips_in_history:
      return tell(write, keep(write.commit));
  }
}

/// What was said to be committed is kept now; `next` is the batch behind it, which is finished too.
void Writes::keep_owed(HeldJournal::Waiting* next) {
  HeldJournal::Waiting owed = *std::exchange(owed_, std::nullopt);
  if (next != nullptr && stage_.lie == Lie::swaps_two) swap_messages(owed.commit, next->commit);
  keep(owed.commit);
  if (next != nullptr) tell(*next, keep(next->commit));
}

WriteOutcome Writes::keep(Commit commit) {
  const size_t thread = stage_.thread_of(commit.key);
  const auto events = commit.batch.events;
  const WriteOutcome outcome = stage_.journal.keep(std::move(commit));
  if (outcome == WriteOutcome::committed) {
    stage_.record.kept.push_back({thread, events, stage_.record.tick()});
  }
  if (outcome == WriteOutcome::fenced) ++stage_.stats.fenced;
  return outcome;
}

void Writes::tell(const HeldJournal::Waiting& write, WriteOutcome outcome) {
  const size_t thread = stage_.thread_of(write.commit.key);
  auto& kept = stage_.record.kept;
  if (outcome == WriteOutcome::committed) {
    for (size_t i = kept.size(); i-- > 0;) {
      if (kept[i].events == write.commit.batch.events) kept[i].told = stage_.record.tick();
    }
  } else if (outcome == WriteOutcome::unknown) {
    ++stage_.stats.unknown;
  } else {
    ++stage_.stats.refused_writes;
  }
  stage_.trace("told", thread, static_cast<uint64_t>(outcome));
  stage_.scheduled.last = stage_.bell.last = nullptr;
  HeldJournal::tell(write.waiter, outcome);
  const auto& writer = stage_.bell.last ? stage_.bell.last : stage_.scheduled.last;
  writers_[thread] = caf::actor_cast<caf::actor>(writer);
}

void Writes::raise_epoch(size_t thread) {
  const Shard shard = stage_.address(thread).shard;
  const Epoch epoch{stage_.journal.epoch(shard).value + 1};
  stage_.trace("raise", thread, epoch.value);
  if (!stage_.journal.raise_epoch(shard, epoch).ok()) stage_.fail("an epoch cannot be raised");
}

void Writes::tell_owner(size_t thread, SteadyTime until) {
  if (!writers_[thread]) return;
  stage_.trace("owner", thread, static_cast<uint64_t>(until.micros));
  const Ownership ownership{stage_.journal.epoch(stage_.address(thread).shard), until};
  caf::anon_send(writers_[thread], OwnershipMessage{ownership});
}

void Writes::check() {
  std::set<ConversationKey> under_way;
  for (size_t i = 0; i < stage_.journal.waiting(); ++i) {
    if (!under_way.insert(stage_.journal.held(i).commit.key).second) {
      stage_.fail("I13: two batches of one conversation are under way at once");
    }
  }
  if (stage_.journal.released_under_way > 0) stage_.fail("an activation ended before its write");
  if (stage_.journal.active_max > 1) stage_.fail("I12: two activations of one conversation");
}

}  // namespace parley::schedule
