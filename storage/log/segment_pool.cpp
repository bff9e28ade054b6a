#include "storage/log/segment_pool.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <utility>

namespace parley::log {

SegmentPool::SegmentPool(Options options, Disk& disk, std::vector<ClosedSegment> closed,
                         std::vector<Spare> spares, uint64_t next_spare)
    : options_(std::move(options)),
      disk_(disk),
      closed_(closed.begin(), closed.end()),
      spares_(std::move(spares)),
      next_spare_(next_spare),
      thread_([this] { run(); }) {}

SegmentPool::~SegmentPool() { stop(); }

Result<Spare> SegmentPool::take() {
  Lock lock(mutex_);
  if (usable_count() == 0) {
    const uint64_t request = ++requests_;
    poke(lock);
    ready_.wait(lock, [&] { return usable_count() > 0 || tried_ >= request || stopping_; });
  }
  const auto found = std::ranges::find_if(spares_, [this](const Spare& s) { return usable(s); });
  if (found == spares_.end()) {
    return stopping_ ? absl::UnavailableError("the log is closing; try again later") : error_;
  }
  Spare spare = std::move(*found);
  spares_.erase(found);
  poke(lock);
  return spare;
}

void SegmentPool::discard(const Spare& spare) {
  // Why unchecked: a file that stays is found again as a spare at the next start.
  disk_.remove(spare.path);
}

void SegmentPool::add_closed(ClosedSegment segment) {
  Lock lock(mutex_);
  closed_.push_back(std::move(segment));
  poke(lock);
}

void SegmentPool::release(uint64_t frame) {
  Lock lock(mutex_);
  released_ = std::max(released_, frame);
  poke(lock);
}

void SegmentPool::wipe(uint64_t frame) {
  Lock lock(mutex_);
  wipe_through_ = std::max(wipe_through_, frame);
  poke(lock);
}

void SegmentPool::stop() {
  {
    Lock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    ready_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

uint64_t SegmentPool::oldest_frame() const {
  const std::lock_guard lock(mutex_);
  uint64_t oldest = working_on_;
  for (const ClosedSegment& segment : closed_) oldest = std::min(oldest, segment.oldest_frame);
  for (const Spare& spare : spares_) oldest = std::min(oldest, spare.oldest_frame);
  return oldest;
}

size_t SegmentPool::spare_count() const {
  const std::lock_guard lock(mutex_);
  return spares_.size();
}

size_t SegmentPool::closed_count() const {
  const std::lock_guard lock(mutex_);
  return closed_.size();
}

size_t SegmentPool::usable_count() const {
  return static_cast<size_t>(
      std::ranges::count_if(spares_, [this](const Spare& spare) { return usable(spare); }));
}

void SegmentPool::poke(Lock&) {
  poked_ = true;
  wake_.notify_one();
}

void SegmentPool::run() {
  Lock lock(mutex_);
  while (!stopping_) {
    // Why in this order: what is released saves making a file, and a wiped one is as good as a new
    // one.
    const bool worked = retire_one(lock) || wipe_one(lock) || remove_one(lock) || make_one(lock);
    if (worked) {
      ready_.notify_all();
      continue;
    }
    // A failure is tried again when something has changed.
    wake_.wait(lock, [this] { return stopping_ || poked_; });
    poked_ = false;
  }
}

bool SegmentPool::retire_one(Lock& lock) {
  if (closed_.empty() || closed_.front().last_frame > released_) return false;
  ClosedSegment segment = std::move(closed_.front());
  closed_.pop_front();
  Spare spare{spare_path(options_.directory, next_spare_++), segment.oldest_frame};
  const bool reuse = segment.file_bytes == options_.segment_bytes;
  const bool wipe = segment.oldest_frame <= wipe_through_;
  working_on_ = segment.oldest_frame;
  lock.unlock();
  const Status status = retire(segment, spare.path, reuse, wipe);
  lock.lock();
  working_on_ = k_no_frame;
  if (!status.ok()) {
    closed_.push_front(std::move(segment));
  } else if (reuse) {
    spares_.push_back(std::move(spare));
  }
  return status.ok();
}

Status SegmentPool::retire(const ClosedSegment& segment, const std::string& spare, bool reuse,
                           bool wipe) {
  if (reuse) {
    if (disk_.rename(segment.path, spare) != 0) return disk_error(errno, "rename", segment.path);
  } else {
    if (wipe) {
      Status status = write_zeros(disk_, segment.path, segment.file_bytes);
      if (!status.ok()) return status;
    }
    if (disk_.remove(segment.path) != 0 && errno != ENOENT)
      return disk_error(errno, "unlink", segment.path);
  }
  // Why: a new header must never reach a file that after a power cut has its old name again.
  if (disk_.sync_directory(options_.directory) != 0) {
    if (reuse) disk_.rename(spare, segment.path);
    return disk_error(errno, "fsync", options_.directory);
  }
  return {};
}

bool SegmentPool::wipe_one(Lock& lock) {
  const auto found =
      std::ranges::find_if_not(spares_, [this](const Spare& s) { return usable(s); });
  if (found == spares_.end()) return false;
  Spare spare = std::move(*found);
  spares_.erase(found);
  working_on_ = spare.oldest_frame;
  lock.unlock();
  const Status status = write_zeros(disk_, spare.path, options_.segment_bytes);
  lock.lock();
  working_on_ = k_no_frame;
  if (status.ok()) spare.oldest_frame = k_no_frame;
  spares_.push_back(std::move(spare));
  return status.ok();
}

bool SegmentPool::remove_one(Lock& lock) {
  if (usable_count() <= k_spares_max) return false;
  // Those with old bytes go first.
  const auto found = std::ranges::min_element(spares_, {}, [this](const Spare& spare) {
    return usable(spare) ? spare.oldest_frame : k_no_frame;
  });
  Spare spare = std::move(*found);
  spares_.erase(found);
  working_on_ = spare.oldest_frame;
  lock.unlock();
  const bool removed = disk_.remove(spare.path) == 0;
  lock.lock();
  working_on_ = k_no_frame;
  if (!removed) spares_.push_back(std::move(spare));
  return removed;
}

bool SegmentPool::make_one(Lock& lock) {
  if (usable_count() > 0) return false;
  const uint64_t request = requests_;
  const uint64_t number = next_spare_++;
  lock.unlock();
  Status status = make(number);
  lock.lock();
  const bool made = status.ok();
  if (made) spares_.push_back({spare_path(options_.directory, number), k_no_frame});
  error_ = std::move(status);
  tried_ = request;
  if (!made) ready_.notify_all();
  return made;
}

Status SegmentPool::make(uint64_t number) {
  const std::string path = unfinished_path(options_.directory, number);
  const std::string finished = spare_path(options_.directory, number);
  const auto zeroed = [&]() -> Status {
    const OpenFile file(disk_.open(path, O_WRONLY | O_CREAT | O_TRUNC));
    if (!file.is_open()) return disk_error(errno, "open", path);
    // Says at once that the disk is full, before 64 MiB were written for nothing.
    if (disk_.allocate(file.get(), options_.segment_bytes) != 0 && errno != EOPNOTSUPP) {
      return disk_error(errno, "fallocate", path);
    }
    return write_zeros(disk_, path, options_.segment_bytes);
  };
  Status status = zeroed();
  if (status.ok() && disk_.rename(path, finished) != 0) status = disk_error(errno, "rename", path);
  if (!status.ok()) disk_.remove(path);
  return status;
}

}  // namespace parley::log
