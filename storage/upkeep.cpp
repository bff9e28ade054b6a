#include "storage/upkeep.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>

#include "absl/time/clock.h"
#include <rocksdb/convenience.h>

#include "base/log.hpp"
#include "storage/keys.hpp"

namespace parley {
namespace {

using std::chrono::steady_clock;

constexpr auto k_tick = std::chrono::seconds(1);
constexpr auto k_ask_again_after = std::chrono::milliseconds(5);
constexpr auto k_patience = std::chrono::seconds(30);
/// A scrub that took long is not soon repeated: it rewrites what it touches.
constexpr int k_rest_per_scrub = 10;
constexpr size_t k_ranges_max = 64;
/// Left free by whatever the store does by itself.
constexpr uint64_t k_room_bytes = 8U << 20;
/// To be there before a merge is asked for. Why more than for a flush: that is what lets the log
/// go, and what lets a deletion be applied, which makes room.
constexpr uint64_t k_room_of_merges_bytes = 2 * k_room_bytes;
constexpr auto k_retry_after = std::chrono::seconds(1);
constexpr uint64_t k_worth_merging_bytes = 1U << 20;
constexpr uint64_t k_worth_merging_share = 4;

}  // namespace

UpkeepOptions UpkeepOptions::within(size_t memory_bytes) {
  const size_t half = memory_bytes / 2;
  return {.flush_bytes = half / 2, .unflushed_max = half / 3 * 2};
}

Upkeep::Upkeep(const RocksStore& store, Applier& applier, log::Lane& lane, DiskFloor& floor,
               UpkeepOptions options)
    : store_(store), applier_(applier), lane_(lane), floor_(floor), options_(options) {
  changed_at_ = flushed_at_ = purge_at_ = purged_at_ = steady_clock::now();
  scrub_wanted_ = true;  // one that was due when the process ended
}

void Upkeep::start() {
  bound_disk_use();
  if (Status status = store_.merge_files(); !status.ok()) {
    spdlog::error("files are not merged: {}", status.ToString());
  }
  thread_ = std::thread([this] { run(); });
}

void Upkeep::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  wake_.notify_all();
  store_.db()
      .DisableManualCompaction();  // a scrub under way ends; it is due again at the next start
  if (thread_.joinable()) thread_.join();
}

void Upkeep::after_round(bool erased) {
  const bool full = store_.unflushed_bytes() >= options_.flush_bytes ||
                    lane_.stats().closed_segments > options_.closed_segments_max;
  {
    const std::lock_guard lock(mutex_);
    changed_at_ = steady_clock::now();
    rested_ = false;
    if (!full && !erased) return;
    rest_over_ = true;
    flush_wanted_ |= full;
    scrub_wanted_ |= erased;
  }
  wake_.notify_all();
}

void Upkeep::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    turns_.fetch_add(1, std::memory_order_relaxed);
    const auto now = steady_clock::now();
    bound_disk_use();
    if (now >= purge_at_) {
      purge_at_ = now + options_.purge_every;
      applier_.add_purge(std::chrono::duration_cast<std::chrono::microseconds>(
          now - std::exchange(purged_at_, now)));
    }
    const bool old = now - flushed_at_ >= options_.flush_every;
    const bool flush_due =
        (flush_wanted_ || old || store_.needs_resume()) && now >= flush_not_before_;
    const bool scrub_due = scrub_wanted_ && now >= scrub_not_before_;
    const bool rest_due = !rested_ && now - changed_at_ >= options_.rest_after;
    if (!flush_due && !scrub_due && !rest_due) {
      const auto tick = std::min<steady_clock::duration>(k_tick, options_.rest_after);
      wake_.wait_for(lock, tick, [&] {
        return stopping_ || (flush_wanted_ && steady_clock::now() >= flush_not_before_);
      });
      continue;
    }
    if (rest_due) {
      rested_ = true;
      rest_over_ = false;
    }
    if (flush_due) flush_wanted_ = false;
    if (scrub_due) scrub_wanted_ = false;
    lock.unlock();
    if (flush_due) do_flush();
    if (scrub_due) do_scrub();
    if (rest_due) do_rest();
    lock.lock();
  }
}

void Upkeep::do_flush() {
  const Status status = flush();
  if (status.ok()) return;
  failed_flushes_.fetch_add(1, std::memory_order_relaxed);
  spdlog::error("flushing, to be tried again: {}", status.ToString());
  const std::lock_guard lock(mutex_);
  flush_wanted_ = true;
  flush_not_before_ = steady_clock::now() + k_retry_after;
}

void Upkeep::do_scrub() {
  const auto begin = steady_clock::now();
  const Status status = scrub_now();
  const std::lock_guard lock(mutex_);
  const auto took = steady_clock::now() - begin;
  scrub_not_before_ = steady_clock::now() + std::max<steady_clock::duration>(
                                                options_.scrub_every, took * k_rest_per_scrub);
  if (status.ok() || stopping_) return;
  scrub_wanted_ = true;
  spdlog::warn("scrubbing erased content, to be tried again: {}", status.ToString());
}

/// Under load files pile up, for a merge costs what answers need; this is when it costs nobody.
void Upkeep::do_rest() {
  if (store_.unflushed_bytes() >= k_worth_merging_bytes) do_flush();
  for (const Family family : {Family::state, Family::messages, Family::index}) {
    if (!worth_merging(family)) continue;
    bound_disk_use();
    if (!check_room(k_room_of_merges_bytes).ok()) return;
    if (Status status = store_.merge_all(family, rest_over_); !status.ok()) {
      return spdlog::warn("while nothing changes: {}", status.ToString());
    }
    if (rest_over_) return;
  }
  if (Status status = wait_for_old_files(); !status.ok()) {
    spdlog::debug("merged, but {}", status.ToString());  // a reader holds them; they go later
  }
  rests_.fetch_add(1, std::memory_order_relaxed);
}

/// Merging rewrites the last level as well: only where there is much beside it.
bool Upkeep::worth_merging(Family family) const {
  rocksdb::ColumnFamilyMetaData files;
  store_.db().GetColumnFamilyMetaData(store_.family(family), &files);
  const uint64_t last = files.levels.empty() ? 0 : files.levels.back().size;
  const uint64_t beside = files.size - last;
  return beside >= k_worth_merging_bytes && beside >= last / k_worth_merging_share;
}

/// RocksDB must never meet a full disk: Debian's aborts. It is not asked for a flush that might not
/// fit, and leaves out a compaction that might not.
void Upkeep::bound_disk_use() {
  const uint64_t free = floor_.free_bytes();
  const uint64_t usable = free > k_room_bytes ? free - k_room_bytes : 1;
  store_.files().SetMaxAllowedSpaceUsage(store_.files().GetTotalSize() + usable);
}

Status Upkeep::check_room(uint64_t left_free) const {
  floor_.look();
  if (floor_.free_bytes() >= store_.memtable_bytes() + left_free) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      "the disk is too full to write the store's files; make room, nothing is lost meanwhile");
}

bool Upkeep::may_apply() const {
  return store_.memtable_bytes() < options_.unflushed_max || check_room(k_room_bytes).ok();
}

Status Upkeep::flush() {
  const std::lock_guard lock(flush_mutex_);
  bound_disk_use();
  if (Status status = check_room(k_room_bytes); !status.ok()) return status;
  if (Status status = store_.resume(); !status.ok()) return status;
  const log::Mark applied = applier_.applied();  // before the flush: it covers this
  if (Status status = store_.flush(); !status.ok()) return status;
  lane_.release(applied.frame);
  flushes_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard state(mutex_);
  flushed_at_ = steady_clock::now();
  return absl::OkStatus();
}

Result<Upkeep::Due> Upkeep::read_due() const {
  Due due;
  const StoreView view(store_);
  auto scan = view.scan(Family::meta,
                        {.begin = "S", .end = "T", .within_prefix = false, .fill_cache = false});
  for (scan.seek("S"); scan.valid(); scan.next()) {
    const auto key = keys::parse_scrub(scan.key());
    if (!key || static_cast<size_t>(key->family) >= k_families) continue;
    due.rows.emplace_back(scan.key());
    due.ranges.push_back({static_cast<Family>(key->family), key->begin, std::string(scan.value())});
  }
  std::copy_if(due.ranges.begin(), due.ranges.end(), std::back_inserter(due.dead),
               [](const Range& range) {
                 const auto first = keys::parse_message(range.begin);
                 return range.family == Family::messages && first && first->sequence.value == 1;
               });
  if (Status status = scan.status(); !status.ok()) return status;
  due.ranges = coalesce(std::move(due.ranges));
  return due;
}

std::vector<Upkeep::Range> Upkeep::coalesce(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return std::tie(a.family, a.begin) < std::tie(b.family, b.begin);
  });
  const bool many = ranges.size() > k_ranges_max;
  std::vector<Range> merged;
  for (Range& range : ranges) {
    const bool joins = !merged.empty() && merged.back().family == range.family &&
                       (many || range.begin <= merged.back().end);
    if (joins) {
      merged.back().end = std::max(merged.back().end, range.end);
    } else {
      merged.push_back(std::move(range));
    }
  }
  return merged;
}

Status Upkeep::scrub() {
  rest_over_ = true;  // the store merges one range at a time
  return scrub_now();
}

Status Upkeep::scrub_now() {
  const std::lock_guard lock(scrub_mutex_);
  if (Status status = applier_.wait_for_all(); !status.ok()) return status;
  auto due = read_due();
  if (!due.ok()) return due.status();
  if (due->rows.empty()) return absl::OkStatus();
  const uint64_t frame = applier_.applied().frame;
  lane_.wipe(frame);
  if (Status status = wait_for_old_readers(store_.db().GetLatestSequenceNumber()); !status.ok()) {
    return status;
  }
  // Why before the flush: on a full disk it makes the room that a flush needs. If the process ends
  // in between, the log still says that the messages are erased.
  if (Status status = drop_whole_files(due->dead); !status.ok()) return status;
  if (Status status = flush(); !status.ok()) return status;
  // What a damaged block keeps from being rewritten stays due, and keeps nothing else back.
  std::vector<Range> damaged;
  Status unmet;
  for (const Range& range : due->ranges) {
    bound_disk_use();
    if (Status status = check_room(k_room_of_merges_bytes); !status.ok()) return status;
    const Status status = store_.rewrite(range.family, range.begin, range.end);
    if (!status.ok() && !absl::IsDataLoss(status)) return status;
    if (status.ok()) continue;
    unmet.Update(status);
    damaged.push_back(range);
  }
  rocksdb::WriteBatch done;
  for (const std::string& row : due->rows) {
    if (lies_in_any(row, damaged)) continue;
    done.Delete(store_.family(Family::meta), row).PermitUncheckedError();
  }
  if (Status status = wait_for_old_files(); !status.ok()) return status;
  if (Status status = wait_for_wiped_log(frame); !status.ok()) return status;
  scrubs_.fetch_add(1, std::memory_order_relaxed);
  if (Status status = store_.write(done); !status.ok()) return status;
  return unmet;
}

bool Upkeep::lies_in_any(std::string_view row, const std::vector<Range>& ranges) {
  const auto due = keys::parse_scrub(row);
  return due && std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
           return static_cast<Family>(due->family) == range.family && range.begin <= due->begin &&
                  due->begin < range.end;
         });
}

/// Files that hold nothing but erased messages go at once, without the room that rewriting takes.
/// Only exactly what was erased, before ranges are joined, and only whole histories: one is never
/// begun again, whereas a conversation may live again under its keys, and the first row of what is
/// erased of a history in part may hold messages that stay, written anew but not flushed yet.
Status Upkeep::drop_whole_files(const std::vector<Range>& dead) {
  for (const Range& range : dead) {
    const rocksdb::Slice begin = range.begin;
    const rocksdb::Slice end = range.end;
    const auto status = rocksdb::DeleteFilesInRange(&store_.db(), store_.family(Family::messages),
                                                    &begin, &end, /*include_end=*/false);
    if (!status.ok()) return from_rocks(status, "dropping files of erased messages");
  }
  return absl::OkStatus();
}

bool Upkeep::eventually(const std::function<bool()>& done) {
  const auto until = steady_clock::now() + k_patience;
  while (!done()) {
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, k_ask_again_after, [&] { return stopping_; })) return false;
    if (steady_clock::now() > until) return false;
  }
  return true;
}

/// What an older snapshot still sees would survive the compaction.
Status Upkeep::wait_for_old_readers(uint64_t sequence) {
  const bool gone = eventually([&] {
    uint64_t oldest = 0;
    const bool known =
        store_.db().GetIntProperty(rocksdb::DB::Properties::kOldestSnapshotSequence, &oldest);
    return !known || oldest == 0 || oldest >= sequence;
  });
  if (gone) return absl::OkStatus();
  return absl::UnavailableError("a verification or a backup still reads what was erased");
}

Status Upkeep::wait_for_old_files() {
  namespace fs = std::filesystem;
  const bool gone = eventually([&] {
    store_.db().DisableFileDeletions().PermitUncheckedError();
    store_.db().EnableFileDeletions(false).PermitUncheckedError();  // deletes what is due, here
    std::vector<rocksdb::LiveFileMetaData> live;
    store_.db().GetLiveFilesMetaData(&live);
    std::set<std::string> names;
    for (const auto& file : live) names.insert(file.relative_filename);
    std::error_code error;
    for (const auto& file : fs::directory_iterator(store_.db().GetName(), error)) {
      const std::string name = file.path().filename();
      if (name.ends_with(".sst") && !names.contains(name)) return false;
    }
    return !error;
  });
  if (gone) return absl::OkStatus();
  return absl::UnavailableError("old files of the store are still in use");
}

Status Upkeep::wait_for_wiped_log(uint64_t frame) {
  if (eventually([&] { return lane_.wiped_through() >= frame; })) return absl::OkStatus();
  return absl::UnavailableError("the log still holds what was erased");
}

}  // namespace parley
