#include "storage/backup.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include <rocksdb/rate_limiter.h>
#include <rocksdb/utilities/backup_engine.h>

#include "storage/applier.hpp"
#include "storage/upkeep.hpp"
#include "storage/verification.hpp"

namespace parley {
namespace {

using rocksdb::BackupEngineReadOnly;

BackupInfo info_of(const rocksdb::BackupInfo& info) {
  return {.id = info.backup_id,
          .create_time = {info.timestamp * 1'000'000},
          .bytes = info.size,
          .files = info.number_files};
}

Result<std::unique_ptr<BackupEngineReadOnly>> open_engine(const std::string& backup_dir) {
  std::error_code error;
  if (!std::filesystem::is_directory(backup_dir, error)) {
    return absl::NotFoundError(
        absl::StrCat(backup_dir, " holds no backups; check the path, or take a backup first"));
  }
  BackupEngineReadOnly* engine = nullptr;
  const auto status = BackupEngineReadOnly::Open(rocksdb::BackupEngineOptions(backup_dir),
                                                 rocksdb::Env::Default(), &engine);
  if (!status.ok()) return from_rocks(status, absl::StrCat("opening the backups in ", backup_dir));
  return std::unique_ptr<BackupEngineReadOnly>(engine);
}

Status no_backup(const std::string& backup_dir, int64_t id) {
  return absl::NotFoundError(absl::StrCat(backup_dir, " holds no backup ",
                                          id == 0 ? "at all" : std::to_string(id),
                                          "; list the backups to see which there are"));
}

Result<rocksdb::BackupID> checked_id(const std::string& backup_dir, int64_t id) {
  if (id < 1 || id > std::numeric_limits<rocksdb::BackupID>::max()) {
    return no_backup(backup_dir, id);
  }
  return static_cast<rocksdb::BackupID>(id);
}

}  // namespace

Result<BackupInfo> make_backup(const RocksStore& store, const Identity& identity,
                               const std::string& backup_dir) {
  std::error_code error;
  std::filesystem::create_directories(backup_dir, error);
  if (error) {
    return absl::FailedPreconditionError(absl::StrCat("cannot create ", backup_dir, ": ",
                                                      error.message(), "; check its permissions"));
  }
  rocksdb::BackupEngine* opened = nullptr;
  rocksdb::BackupEngineOptions options(backup_dir);
  options.backup_log_files = false;  // the store keeps none
  rocksdb::Status status = rocksdb::BackupEngine::Open(options, rocksdb::Env::Default(), &opened);
  if (!status.ok()) return from_rocks(status, absl::StrCat("opening the backups in ", backup_dir));
  const std::unique_ptr<rocksdb::BackupEngine> engine(opened);
  rocksdb::CreateBackupOptions create;
  // The store was flushed before; what RocksDB would flush here need not be of one moment.
  create.flush_before_backup = false;
  rocksdb::BackupID id = 0;
  status = engine->CreateNewBackupWithMetadata(create, &store.db(), format_identity(identity), &id);
  if (!status.ok()) return from_rocks(status, "taking a backup");
  rocksdb::BackupInfo info;
  status = engine->GetBackupInfo(id, &info);
  if (!status.ok()) return from_rocks(status, "taking a backup");
  return info_of(info);
}

Result<std::vector<BackupInfo>> read_backups(const std::string& backup_dir) {
  auto engine = open_engine(backup_dir);
  if (absl::IsNotFound(engine.status())) return std::vector<BackupInfo>{};
  if (!engine.ok()) return engine.status();
  std::vector<rocksdb::BackupInfo> infos;
  (*engine)->GetBackupInfo(&infos);
  std::vector<BackupInfo> backups;
  for (const auto& info : infos) backups.push_back(info_of(info));
  std::sort(backups.begin(), backups.end(),
            [](const BackupInfo& a, const BackupInfo& b) { return a.id < b.id; });
  return backups;
}

Status check_backup(const std::string& backup_dir, int64_t id) {
  auto engine = open_engine(backup_dir);
  if (!engine.ok()) return engine.status();
  auto number = checked_id(backup_dir, id);
  if (!number.ok()) return number.status();
  const auto status = (*engine)->VerifyBackup(*number, true);
  if (status.IsNotFound()) return no_backup(backup_dir, id);
  return from_rocks(status, absl::StrCat("verifying backup ", id));
}

namespace {

/// Bytes of a directory so far: how far a copy has come.
uint64_t bytes_in(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(directory, error)) {
    const auto size = file.file_size(error);
    if (!error) bytes += size;
  }
  return bytes;
}

}  // namespace

Result<Identity> copy_backup(const std::string& backup_dir, int64_t id, const std::string& db,
                             const std::function<void(uint64_t, uint64_t)>& progress) {
  auto engine = open_engine(backup_dir);
  if (!engine.ok()) return engine.status();
  rocksdb::BackupInfo info;
  rocksdb::Status status;
  if (id == 0) {
    status = (*engine)->GetLatestBackupInfo(&info);
  } else {
    auto number = checked_id(backup_dir, id);
    if (!number.ok()) return number.status();
    status = (*engine)->GetBackupInfo(*number, &info);
  }
  if (status.IsNotFound()) return no_backup(backup_dir, id);
  if (!status.ok()) return from_rocks(status, "reading the backup");
  auto identity = parse_identity(info.app_metadata, "the backup's IDENTITY");
  if (!identity.ok()) return identity.status();
  // Checked first: copying over damage would only be noticed on the day it is read.
  status = (*engine)->VerifyBackup(info.backup_id, true);
  if (!status.ok()) return from_rocks(status, absl::StrCat("verifying backup ", info.backup_id));
  if (progress) progress(0, info.size);
  status = (*engine)->RestoreDBFromBackup(rocksdb::RestoreOptions(), info.backup_id, db, db);
  if (!status.ok()) return from_rocks(status, "copying the backup");
  if (progress) progress(std::min<uint64_t>(bytes_in(db), info.size), info.size);
  return identity;
}

Result<BackupInfo> LocalJournal::create_backup() {
  if (Status status = flush(); !status.ok()) return status;
  if (floor_->full()) {
    return absl::ResourceExhaustedError(
        "the disk is too full for a backup; make room, or use another backup directory");
  }
  return make_backup(*store_, *identity_, options_.backup_dir);
}

Result<std::vector<BackupInfo>> LocalJournal::list_backups() {
  return read_backups(options_.backup_dir);
}

Status LocalJournal::verify_backup(int64_t id) { return check_backup(options_.backup_dir, id); }

Result<VerifyReport> LocalJournal::verify(
    const std::function<void(const VerifyReport&)>& progress) {
  if (Status status = applier_->wait_for_all(); !status.ok()) return status;
  // Why before the view: what comes here later is not in it.
  std::vector<bool> away;
  for (uint32_t i = 0; i < options_.shard_count; ++i) {
    away.push_back(elsewhere({static_cast<uint16_t>(i)}));
  }
  const StoreView view(*store_);
  const auto foreign = [&away](Shard shard) { return away[shard.value]; };
  return Verification(view, options_.shard_count, foreign, progress).run();
}

}  // namespace parley
