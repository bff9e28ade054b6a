#include "storage/offline.hpp"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "storage/backup.hpp"
#include "storage/codec.hpp"
#include "storage/data_dir.hpp"
#include "storage/log/replay.hpp"
#include "storage/rocks_store.hpp"
#include "storage/verification.hpp"

namespace parley {
namespace {

namespace fs = std::filesystem;

constexpr size_t k_memory_bytes = 64U << 20;

Status check_absent(const std::string& data_dir) {
  std::error_code error;
  if (!fs::exists(data_dir, error)) return absl::OkStatus();
  if (fs::is_directory(data_dir, error) && fs::is_empty(data_dir, error)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      data_dir,
      " is not empty; restore into a directory that does not exist yet, then exchange them"));
}

/// Everything of a data directory but its IDENTITY, which is written last and makes it one.
Status fill(const RestoreRequest& request, const DataDir& dir,
            const std::function<void(uint64_t, uint64_t)>& progress) {
  auto identity = copy_backup(request.backup_dir, request.backup_id, dir.db(), progress);
  if (!identity.ok()) return identity.status();
  // What was restored begins a log of its own, where the backup ends.
  identity->begun = false;
  return write_identity(dir.path(), *identity);
}

/// The frames that the store has not applied yet.
Status verify_log(const DataDir& dir, const Identity& identity, log::Mark applied,
                  Verification& verification) {
  if (!identity.begun) return absl::OkStatus();
  const auto report = log::replay(
      {.directory = dir.lane(), .store_id = identity.store_id, .lane = 0, .after = applied},
      [&](const log::ReplayedRecord& record) {
        const auto decoded = decode_log_record(record.payload, identity.shard_count);
        if (!decoded.ok()) {
          verification.add_problem(absl::StrCat("frame ", record.frame, " of the log"),
                                   std::string(decoded.status().message()));
        }
        return absl::OkStatus();
      });
  if (!report.ok()) {
    if (!absl::IsDataLoss(report.status())) return report.status();
    verification.add_problem(dir.lane(), std::string(report.status().message()));
    return absl::OkStatus();
  }
  for (const log::Damage& damage : report->damages) {
    verification.add_problem(dir.lane(), damage.what);
  }
  return absl::OkStatus();
}

}  // namespace

Status restore_backup(const RestoreRequest& request,
                      const std::function<void(uint64_t, uint64_t)>& progress) {
  if (Status status = check_absent(request.data_dir); !status.ok()) return status;
  std::error_code error;
  const bool existed = fs::exists(request.data_dir, error);
  Status status;
  {
    auto dir = DataDir::lock(request.data_dir);
    if (!dir.ok()) return dir.status();
    status = fill(request, *dir, progress);
  }
  if (status.ok()) return status;
  for (const auto& entry : fs::directory_iterator(request.data_dir, error)) {
    fs::remove_all(entry.path(), error);
  }
  if (!existed) fs::remove(request.data_dir, error);
  return status;
}

Result<VerifyReport> verify_store(const std::string& data_dir,
                                  const std::function<void(const VerifyReport&)>& progress,
                                  const std::function<bool(Shard)>& elsewhere) {
  auto dir = DataDir::lock_existing(data_dir);
  if (!dir.ok()) return dir.status();
  auto identity = read_identity(data_dir);
  if (!identity.ok()) return identity.status();
  auto store = RocksStore::open_read_only({dir->db(), k_memory_bytes, true});
  if (!store.ok()) {
    if (!absl::IsDataLoss(store.status())) return store.status();
    VerifyReport report;
    report.problems.push_back({dir->db(), std::string(store.status().message())});
    report.done = true;
    if (progress) progress(report);
    return report;
  }
  const StoreView view(**store);
  Verification verification(view, (*identity)->shard_count, elsewhere, progress);
  const auto applied = (*store)->applied();
  if (!applied.ok()) return applied.status();
  Status status = verify_log(*dir, **identity, *applied, verification);
  if (!status.ok()) return status;
  return verification.run();
}

}  // namespace parley
