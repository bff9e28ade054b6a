#include "storage/rocks_listeners.hpp"

#include <filesystem>

#include "base/background.hpp"

namespace parley {

void BackgroundErrors::OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) {
  const bool space =
      error->IsNoSpace() || error->subcode() == rocksdb::Status::SubCode::kSpaceLimit;
  if (error->IsIOError() && !space && on_fatal_) {
    on_fatal_("the store's files: " + error->ToString());
  }
  if (error->severity() >= rocksdb::Status::Severity::kSoftError) remember();
}

void BackgroundErrors::OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                                            bool* by_itself) {
  *by_itself = false;
}

void InBackground::OnCompactionBegin(rocksdb::DB*, const rocksdb::CompactionJobInfo&) {
  work_in_background();
}

void InBackground::OnFlushBegin(rocksdb::DB*, const rocksdb::FlushJobInfo&) {
  work_in_background();
}

void MergesUnderWay::OnCompactionBegin(rocksdb::DB*, const rocksdb::CompactionJobInfo& merge) {
  uint64_t bytes = 0;
  for (const std::string& file : merge.input_files) {
    std::error_code error;
    const auto size = std::filesystem::file_size(file, error);
    if (!error) bytes += size;
  }
  const std::lock_guard lock(mutex_);
  merges_[merge.job_id] = bytes;
  bytes_ += bytes;
}

void MergesUnderWay::OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& merge) {
  const std::lock_guard lock(mutex_);
  const auto ended = merges_.find(merge.job_id);
  if (ended == merges_.end()) return;
  bytes_ -= ended->second;
  merges_.erase(ended);
}

uint64_t MergesUnderWay::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void OpenAtFlush::OnFlushBegin(rocksdb::DB*, const rocksdb::FlushJobInfo& flush) {
  if (flush.flush_reason == rocksdb::FlushReason::kManualCompaction) gate_.open();
}

}  // namespace parley
