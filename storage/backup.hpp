#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "storage/data_dir.hpp"
#include "storage/local_journal.hpp"
#include "storage/rocks_store.hpp"

/// Backups of a store: RocksDB's files, shared between the backups of a directory, with the store's
/// IDENTITY as their metadata. The log is not part of one: a backup is taken of a flushed store.
namespace parley {

Result<BackupInfo> make_backup(const RocksStore& store, const Identity& identity,
                               const std::string& backup_dir);
Result<std::vector<BackupInfo>> read_backups(const std::string& backup_dir);
Status check_backup(const std::string& backup_dir, int64_t id);

/// Copies a backup (0: the newest) to `db`, which it makes, and says which store it is of.
Result<Identity> copy_backup(const std::string& backup_dir, int64_t id, const std::string& db,
                             const std::function<void(uint64_t, uint64_t)>& progress);

}  // namespace parley
