#include "storage/local_journal.hpp"

#include "absl/strings/str_cat.h"

#include "base/log.hpp"
#include "conversation/evolve.hpp"
#include "storage/applier.hpp"
#include "storage/codec.hpp"
#include "storage/commit_sink.hpp"
#include "storage/damage.hpp"
#include "storage/data_dir.hpp"
#include "storage/disk_floor.hpp"
#include "storage/heads.hpp"
#include "storage/log/lane.hpp"
#include "storage/memory_bytes.hpp"
#include "storage/rocks_store.hpp"
#include "storage/stored_conversation.hpp"
#include "storage/upkeep.hpp"

namespace parley {
namespace {

/// More than this on its way to the disk is refused: it would be answered too late to be of use.
constexpr uint64_t k_log_queue_bytes_max = 64ULL << 20;

/// What makes room, or takes next to none, goes through on a full disk.
bool may_pass_full_disk(const Batch& batch) {
  if (batch.gone) return true;
  for (const Event& event : *batch.events) {
    const bool frees = std::holds_alternative<ConversationReset>(event.body) ||
                       std::holds_alternative<ForkReleased>(event.body) ||
                       std::holds_alternative<ReleaseConfirmed>(event.body);
    if (!frees) return false;
  }
  return true;
}

std::future<WriteOutcome> told_of(Pending& pending) {
  pending.told = std::make_unique<std::promise<WriteOutcome>>();
  return pending.told->get_future();
}

std::future<WriteOutcome> submit_raise(log::Lane& lane, const EpochRaised& raised) {
  auto pending = std::make_shared<Pending>();
  pending->raised = raised;
  auto told = told_of(*pending);
  lane.submit({.key_hash = 0, .payload = {}, .owner = std::move(pending)});
  return told;
}

}  // namespace

void LocalJournal::commit(Commit commit, CommitWaiter* waiter) {
  Bell bell;
  const bool refused = sink_->failed() || lane_->queued_bytes() > k_log_queue_bytes_max ||
                       (floor_->full() && !may_pass_full_disk(commit.batch));
  if (refused) return bell.tell(*waiter, WriteOutcome::not_written);
  const size_t bytes = sizeof(Pending) + memory_bytes(commit);
  auto pending = std::make_shared<Pending>(std::move(commit), waiter);
  pending->bytes = bytes;
  if (const auto outcome = heads_->admit(pending)) bell.tell(*waiter, *outcome);
}

void LocalJournal::submit(std::shared_ptr<Pending> pending) {
  log::Entry entry{.key_hash = pending->commit.key_hash, .payload = {}};
  entry.owner_bytes = pending->bytes;
  entry.owner = std::move(pending);
  lane_->submit(std::move(entry));
}

void LocalJournal::release(const ConversationKey& key) {
  heads_->release(key, shard_of(key_hash(key), options_.shard_count));
}

void LocalJournal::keep_snapshot(const ConversationKey& key, Shard shard,
                                 std::shared_ptr<const State> state) {
  snapshots_asked_.fetch_add(1, std::memory_order_relaxed);
  applier_->add_snapshot(key, key_hash(key), shard, std::move(state));
}

Status LocalJournal::raise_epoch(Shard shard, Epoch epoch) {
  std::future<WriteOutcome> told;
  heads_->raise(shard, epoch, [&](Epoch raised) { told = submit_raise(*lane_, {shard, raised}); });
  if (told.valid() && told.get() == WriteOutcome::committed) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("the epoch of shard ", shard.value, " could not be written; raise it again"));
}

Epoch LocalJournal::epoch(Shard shard) const { return heads_->epoch(shard); }

Status LocalJournal::scrub() { return upkeep_->scrub(); }

Status LocalJournal::flush() {
  if (Status status = applier_->wait_for_all(); !status.ok()) return status;
  return upkeep_->flush();
}

Status LocalJournal::purge(std::chrono::microseconds passed) {
  applier_->add_purge(passed);
  return applier_->wait_for_all();
}

/// As a deletion would have been decided, from what can still be read.
Result<Commit> LocalJournal::erasure_of(const ConversationKey& key, Shard shard, uint64_t hash) {
  const StoreView view(*store_);
  const auto head = read_head(view, key, shard);
  auto state = read_stored_state(view, key, shard);
  if (state.ok() && !damage_->known(hash)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "conversation ", key.thread, " is not damaged; delete it as any other conversation"));
  }
  if (!state.ok() && !absl::IsDataLoss(state.status())) return state.status();
  Event event;
  State rest;
  if (state.ok()) {
    event.body = ConversationDeleted{drops_on_abandoning_current(*state)};
    event.version = state->version.next();
    event.time = state->last_activity;
    rest = state->exists ? evolve(*state, event) : *state;
  } else if (head.ok() && *head) {
    event.body = ConversationDeleted{{{(*head)->head.history, {0}}}};
  } else {
    event.body = ConversationDeleted{};
  }
  Batch batch;
  if (head.ok() && *head) batch.expected = (*head)->head.version;
  batch.gone = true;
  batch.events = std::make_shared<const EventList>(EventList{event});
  batch.snapshot = std::make_shared<const State>(std::move(rest));
  return Commit{key, hash, shard, epoch(shard), std::move(batch)};
}

Status LocalJournal::erase(const ConversationKey& key, Shard shard) {
  const uint64_t hash = key_hash(key);
  const Epoch mine = epoch(shard);
  if (elsewhere(shard)) return passed_on();
  if (Status status = await(key, hash); !status.ok()) return status;
  auto erasure = erasure_of(key, shard, hash);
  if (!erasure.ok()) return erasure.status();
  damage_->mark(hash);  // nobody loads it from here on
  auto pending = std::make_shared<Pending>();
  auto told = told_of(*pending);
  pending->commit = *std::move(erasure);
  bool passed = false;
  const bool unused = heads_->if_not_loaded(key, shard, [&] {
    passed = epoch(shard) != mine;
    if (!passed) submit(std::move(pending));
  });
  if (passed) return passed_on();
  if (!unused) {
    return absl::FailedPreconditionError(
        absl::StrCat("conversation ", key.thread, " is in use; try again when it is idle"));
  }
  if (told.get() != WriteOutcome::committed) {
    return absl::UnavailableError("the deletion could not be written; try again");
  }
  return applier_->wait_for(std::span(&hash, 1));
}

std::string LocalJournal::store_id() const { return format_uuid(identity_->store_id); }
size_t LocalJournal::damaged_count() const { return damage_->conversations(); }
bool LocalJournal::failed() const { return sink_->failed(); }
bool LocalJournal::disk_full() const { return floor_->full(); }

LocalStats LocalJournal::stats() const {
  const log::LaneStats lane = lane_->stats();
  const ApplierStats applier = applier_->stats();
  return {.groups = sink_->groups(),
          .commits = sink_->commits(),
          .log_bytes = lane.frame_bytes,
          .log_write_micros = lane.write_micros,
          .log_refused = lane.refused_records,
          .log_segments = lane.closed_segments,
          .applied_frame = applier.applied.frame,
          .durable_frame = lane_->durable().frame,
          .rounds = applier.rounds,
          .waiting_bytes = applier.waiting_bytes,
          .store_write_failures = applier.write_failures,
          .flushes = upkeep_->flushes(),
          .scrubs = upkeep_->scrubs(),
          .rests = upkeep_->rests(),
          .snapshots_asked = snapshots_asked_.load(std::memory_order_relaxed),
          .damaged_reads = damage_->reads(),
          .active = heads_->size(),
          .disk_free = floor_->free_bytes()};
}

}  // namespace parley
