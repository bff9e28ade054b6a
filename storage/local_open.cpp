#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"

#include "base/log.hpp"
#include "storage/applier.hpp"
#include "storage/bytes.hpp"
#include "storage/codec.hpp"
#include "storage/commit_sink.hpp"
#include "storage/damage.hpp"
#include "storage/data_dir.hpp"
#include "storage/disk_floor.hpp"
#include "storage/heads.hpp"
#include "storage/keys.hpp"
#include "storage/local_journal.hpp"
#include "storage/log/lane.hpp"
#include "storage/log/replay.hpp"
#include "storage/log/segment.hpp"
#include "storage/rocks_store.hpp"
#include "storage/round.hpp"
#include "storage/upkeep.hpp"

/// The local journal's beginning and end: open the store, replay what its log holds beyond it, go
/// on.
namespace parley {
namespace {

constexpr size_t k_replay_round_bytes = 4U << 20;
constexpr uint64_t k_room_to_flush = 16U << 20;
/// For the small files that a start writes.
constexpr uint64_t k_room_to_start = 4U << 20;

/// Records of the log on their way into the store, in rounds.
class Recovery {
 public:
  Recovery(const RocksStore& store, Heads& heads, Damage& damage, std::vector<log::Damage> damages)
      : store_(store), heads_(heads), damage_(damage), damages_(std::move(damages)) {
    std::sort(damages_.begin(), damages_.end(),
              [](const log::Damage& a, const log::Damage& b) { return a.frame < b.frame; });
  }

  Status take(const log::ReplayedRecord& record) {
    if (Status status = mark_damaged_until(record.frame); !status.ok()) return status;
    auto decoded = decode_log_record(record.payload, heads_.shard_count());
    if (!decoded.ok()) return undecodable(record, decoded.status());
    if (const auto* raised = std::get_if<EpochRaised>(&*decoded)) {
      heads_.restore_epoch(raised->shard, raised->epoch);
      raised_.push_back(*raised);
      return absl::OkStatus();
    }
    commits_.push_back(std::get<Commit>(*std::move(decoded)));
    bytes_ += record.payload.size();
    return bytes_ < k_replay_round_bytes ? absl::OkStatus() : write(std::nullopt);
  }

  Status finish(log::Mark last) {
    if (Status status = mark_damaged_until(UINT64_MAX); !status.ok()) return status;
    return write(last);
  }

 private:
  /// Its checksum was right: a newer release wrote it, or one with a fault.
  Status undecodable(const log::ReplayedRecord& record, const Status& why) {
    const std::string what =
        absl::StrCat("frame ", record.frame, " of the log: ", std::string(why.message()));
    if (!absl::IsDataLoss(why)) return Status(why.code(), what);
    spdlog::critical("damage in the log: {}", what);
    if (Status status = write(std::nullopt); !status.ok()) return status;
    damaged_.push_back(record.key_hash);
    return absl::OkStatus();
  }

  /// In the order of the log: a conversation that was deleted after it was damaged is well again.
  Status mark_damaged_until(uint64_t frame) {
    if (next_damage_ == damages_.size() || damages_[next_damage_].frame > frame) {
      return absl::OkStatus();
    }
    if (Status status = write(std::nullopt); !status.ok()) return status;
    for (; next_damage_ < damages_.size() && damages_[next_damage_].frame <= frame;
         ++next_damage_) {
      const auto& hashes = damages_[next_damage_].key_hashes;
      damaged_.insert(damaged_.end(), hashes.begin(), hashes.end());
    }
    return absl::OkStatus();
  }

  Status write(std::optional<log::Mark> mark) {
    Round round(store_, cache_, damage_);
    for (const uint64_t hash : damaged_) round.mark_damaged(hash);
    for (const Commit& commit : commits_) {
      if (Status status = round.add(commit); !status.ok()) return status;
    }
    for (const EpochRaised& raised : raised_) round.raise_epoch(raised.shard, raised.epoch);
    if (Status status = round.write(mark); !status.ok()) return status;
    commits_.clear();
    raised_.clear();
    damaged_.clear();
    bytes_ = 0;
    return absl::OkStatus();
  }

  const RocksStore& store_;
  Heads& heads_;
  Damage& damage_;
  std::vector<log::Damage> damages_;
  size_t next_damage_ = 0;
  HeadCache cache_;
  std::vector<Commit> commits_;
  std::vector<EpochRaised> raised_;
  std::vector<uint64_t> damaged_;
  size_t bytes_ = 0;
};

Status make_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("cannot create ", path, ": ", error.message(), "; check its permissions"));
}

}  // namespace

LocalJournal::LocalJournal(LocalOptions options) : options_(std::move(options)) {
  if (options_.backup_dir.empty()) options_.backup_dir = options_.data_dir + "/backups";
}

Result<std::unique_ptr<LocalJournal>> LocalJournal::open(LocalOptions options) {
  std::unique_ptr<LocalJournal> journal(new LocalJournal(std::move(options)));
  if (Status status = journal->start(); !status.ok()) return status;
  return journal;
}

Status LocalJournal::start() {
  auto dir = DataDir::lock(options_.data_dir);
  if (!dir.ok()) return dir.status();
  dir_ = std::make_unique<DataDir>(*std::move(dir));
  auto identity = dir_->open_identity(options_.shard_count);
  if (!identity.ok()) return identity.status();
  identity_ = std::make_unique<Identity>(*std::move(identity));
  for (const auto& path : {dir_->db(), dir_->log()}) {
    if (Status status = make_directory(path); !status.ok()) return status;
  }
  floor_ = std::make_unique<DiskFloor>(options_.data_dir, options_.disk_floor_bytes,
                                       options_.free_bytes);
  if (floor_->free_bytes() < k_room_to_start) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no space is left for ", options_.data_dir, "; make room and start again"));
  }
  damage_ = std::make_unique<Damage>();
  auto store =
      RocksStore::open({dir_->db(), options_.memory_bytes, options_.compress, options_.on_fatal});
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  heads_ = std::make_unique<Heads>(options_.shard_count,
                                   [this](std::shared_ptr<Pending> p) { submit(std::move(p)); });
  if (Status status = restore_marks(); !status.ok()) return status;
  log::Mark last;
  log::Mark stored;
  if (Status status = replay(&last, &stored); !status.ok()) return status;
  return open_lane(last, stored);
}

/// What the store remembers beside conversations: damaged ones and epochs.
Status LocalJournal::restore_marks() {
  const StoreView view(*store_);
  auto scan = view.scan(Family::meta,
                        {.begin = "D", .end = "F", .within_prefix = false, .fill_cache = false});
  for (scan.seek("D"); scan.valid(); scan.next()) {
    if (const auto hash = keys::parse_damaged(scan.key())) damage_->mark(*hash);
    const auto shard = keys::parse_epoch(scan.key());
    if (!shard || shard->value >= options_.shard_count) continue;
    std::string_view value = scan.value();
    const auto epoch = take_big<uint64_t>(value);
    if (!epoch) return absl::DataLossError("a stored epoch cannot be read; restore a backup");
    heads_->restore_epoch(*shard, {*epoch});
  }
  return scan.status();
}

/// `stored`: through which frame the store has it in its files.
Status LocalJournal::replay(log::Mark* last, log::Mark* stored) {
  const auto applied = store_->applied();
  if (!applied.ok()) return applied.status();
  *last = *applied;
  // A new store has no log yet; one put back from a backup begins a new log where the backup ended.
  if (!identity_->begun) return absl::OkStatus();
  const auto files = log::list_lane_files(dir_->lane());
  if (!files.ok() || files->segments.empty()) {
    return absl::DataLossError(absl::StrCat(
        "the log in ", dir_->lane(), " is missing; put its files back, or restore a backup"));
  }
  const log::ReplayOptions options{
      .directory = dir_->lane(), .store_id = identity_->store_id, .lane = 0, .after = *applied};
  // Read twice: which conversations are damaged must be known before their later records are met.
  auto report = log::replay(options, [](const log::ReplayedRecord&) { return absl::OkStatus(); });
  if (!report.ok()) return report.status();
  for (const log::Damage& damage : report->damages) {
    spdlog::critical("damage in the log: {}", damage.what);
    if (damage.extent_unknown) return absl::DataLossError(damage.what);
  }
  // Nothing of it is on disk before all of it is: the next start would replay the same again.
  store_->bound_unflushed(SIZE_MAX / 2);
  Recovery recovery(*store_, *heads_, *damage_, std::move(report->damages));
  report = log::replay(options,
                       [&](const log::ReplayedRecord& record) { return recovery.take(record); });
  if (!report.ok()) return report.status();
  if (Status status = recovery.finish(report->last); !status.ok()) return status;
  *last = report->last;
  if (report->frames > 0) {
    spdlog::info("replayed {} records of {} frames from the log", report->records, report->frames);
  }
  // On a full disk it stays in memory, and is replayed again if the process ends before there is
  // room.
  *stored = *applied;
  if (floor_->free_bytes() >= store_->memtable_bytes() + k_room_to_flush) {
    if (Status status = store_->flush(); !status.ok()) return status;
    *stored = *last;
  }
  store_->bound_unflushed(options_.memory_bytes / 2);
  return absl::OkStatus();
}

Status LocalJournal::open_lane(log::Mark last, log::Mark stored) {
  applier_ = std::make_unique<Applier>(
      *store_, *heads_, *damage_, last, ApplierOptions{},
      Applier::Surroundings{[this] { return upkeep_->may_apply(); },
                            [this](bool erased) { upkeep_->after_round(erased); },
                            [this](Shard shard) { return elsewhere(shard); }});
  floor_->owe([this] {
    return applier_->stats().waiting_bytes + store_->memtable_bytes() + store_->merging_bytes();
  });
  sink_ = std::make_unique<CommitSink>(*heads_, *applier_, options_.on_fatal);
  auto lane = log::Lane::open(
      {.directory = dir_->lane(),
       .store_id = identity_->store_id,
       .lane = 0,
       .segment_bytes = options_.log_segment_bytes,
       .group_bytes_max = std::min<uint64_t>(4U << 20, options_.log_segment_bytes / 2),
       .record_bytes_max = options_.log_segment_bytes / 2,
       .disk = options_.disk},
      last, *sink_);
  if (!lane.ok()) return lane.status();
  lane_ = *std::move(lane);
  UpkeepOptions upkeep = UpkeepOptions::within(options_.memory_bytes);
  upkeep.scrub_every = options_.scrub_every;
  upkeep.rest_after = options_.rest_after;
  upkeep_ = std::make_unique<Upkeep>(*store_, *applier_, *lane_, *floor_, upkeep);
  if (!identity_->begun) {
    identity_->begun = true;
    if (Status status = write_identity(options_.data_dir, *identity_); !status.ok()) return status;
  }
  upkeep_->start();  // what it asks of the applier comes back to it
  lane_->release(stored.frame);
  return absl::OkStatus();
}

/// Everything acknowledged reaches the store, so that the next start has nothing to replay.
LocalJournal::~LocalJournal() {
  if (!upkeep_) return;  // never started
  heads_->close();
  applier_->lift_bound();
  lane_->stop();
  upkeep_->stop();
  applier_->stop(flush_on_close_);
  if (flush_on_close_ && !sink_->failed()) {
    const Status status = upkeep_->flush();
    if (!status.ok()) spdlog::warn("closing without a flush: {}", status.ToString());
  }
}

}  // namespace parley
