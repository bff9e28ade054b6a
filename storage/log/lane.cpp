#include "storage/log/lane.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/background.hpp"

namespace parley::log {
namespace {

/// What an entry weighs while it is queued. Its payload may be made meanwhile.
uint64_t weight(const Entry& entry) { return entry.owner_bytes + sizeof(Entry); }

}  // namespace

Lane::Lane(LaneOptions options, GroupSink& sink, HeadFile head)
    : options_(std::move(options)),
      disk_(options_.disk ? *options_.disk : Disk::real()),
      identity_(StoreIdentity::of(options_.store_id, options_.lane)),
      sink_(sink),
      head_(std::move(head)) {}

Lane::~Lane() { stop(); }

void Lane::submit(Entry entry) {
  std::unique_lock lock(mutex_);
  if (stopped_) {
    lock.unlock();
    return sink_.on_group({&entry, 1}, durable(), WriteOutcome::not_written);
  }
  if (entry.owner_bytes == 0) entry.owner_bytes = entry.payload.size();
  queued_bytes_.fetch_add(weight(entry), std::memory_order_relaxed);
  submitted_.push_back(std::move(entry));
  const bool asleep = asleep_;
  lock.unlock();
  if (asleep) Burst::wake_at_end(*this);
}

void Lane::wake() {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(asleep_, false)) return;
  }
  wake_.notify_one();
}

void Lane::stop() {
  const std::lock_guard stop_lock(stop_mutex_);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) {
    thread_.join();
    note_head();
  }
  if (pool_) pool_->stop();
}

Mark Lane::durable() const {
  const std::lock_guard lock(mutex_);
  return durable_;
}

Status Lane::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

Status Lane::refusal() const {
  const std::lock_guard lock(mutex_);
  return refusal_;
}

LaneStats Lane::stats() const {
  LaneStats stats;
  {
    const std::lock_guard lock(mutex_);
    stats = stats_;
  }
  stats.spare_segments = pool_->spare_count();
  stats.closed_segments = pool_->closed_count();
  return stats;
}

void Lane::release(uint64_t frame) { pool_->release(frame); }

void Lane::rotate() {
  const std::lock_guard lock(mutex_);
  rotation_wanted_ = true;
  if (std::exchange(asleep_, false)) wake_.notify_one();
}

void Lane::wipe(uint64_t frame) {
  {
    const std::lock_guard lock(mutex_);
    wipe_through_ = std::max(wipe_through_, std::min(frame, durable_.frame));
    frame = wipe_through_;
  }
  // Why first: the spare that the rotation takes must not hold what is to be wiped.
  pool_->wipe(frame);
  const std::lock_guard lock(mutex_);
  if (current_oldest_ > frame) return;
  rotation_wanted_ = true;
  if (std::exchange(asleep_, false)) wake_.notify_one();
}

uint64_t Lane::wiped_through() const {
  uint64_t oldest = 0;
  uint64_t asked = 0;
  {
    // Why before the pool: a rotation adds to the pool before it forgets here.
    const std::lock_guard lock(mutex_);
    oldest = current_oldest_;
    asked = wipe_through_;
  }
  oldest = std::min(oldest, pool_->oldest_frame());
  return oldest == 0 ? 0 : std::min(asked, oldest - 1);
}

void Lane::note_head() {
  const std::lock_guard head_lock(head_mutex_);
  Head head;
  {
    const std::lock_guard lock(mutex_);
    head = {durable_, current_number_};
  }
  if (head_.write(head).ok()) return;
  const std::lock_guard lock(mutex_);
  ++stats_.head_errors;
}

void Lane::run() {
  take_short_turns();
  while (take_submitted()) {
    if (rotation_due_ && taken_.empty() && !failed()) {
      if (Status status = make_room(0); !status.ok()) {
        const std::lock_guard lock(mutex_);
        refusal_ = std::move(status);
      }
    }
    encode_taken();
    write_submitted();
  }
}

/// Why here: the thread that submits has more to do than this one, and memory that one thread takes
/// and gives back again and again stays warm.
void Lane::encode_taken() {
  for (Entry& entry : taken_) {
    if (entry.payload.empty()) sink_.encode(entry);
  }
}

bool Lane::take_submitted() {
  std::unique_lock lock(mutex_);
  while (submitted_.empty() && !stopping_ && !rotation_wanted_) {
    asleep_ = true;
    wake_.wait(lock);
  }
  asleep_ = false;
  rotation_due_ = std::exchange(rotation_wanted_, false) || rotation_due_;
  taken_.clear();
  std::swap(taken_, submitted_);
  stopped_ = stopping_ && taken_.empty();
  return !stopped_;
}

void Lane::write_submitted() {
  for (size_t begin = 0; begin < taken_.size();) {
    const size_t end = end_of_group(begin);
    write_group(std::span(taken_).subspan(begin, end - begin));
    begin = end;
  }
}

size_t Lane::end_of_group(size_t begin) const {
  uint64_t payload_bytes = 0;
  size_t end = begin;
  while (end < taken_.size()) {
    const uint64_t bytes = taken_[end].payload.size();
    payload_bytes += bytes;
    const bool fits =
        bytes <= options_.record_bytes_max &&
        writer_.frame_bytes(end + 1 - begin, payload_bytes) <= options_.group_bytes_max;
    if (!fits) break;
    ++end;
  }
  return std::max(end, begin + 1);  // one that is larger goes alone
}

void Lane::write_group(std::span<Entry> group) {
  using Clock = std::chrono::steady_clock;
  if (failed()) return refuse(group, failure());
  if (group[0].payload.size() > options_.record_bytes_max) {
    return refuse(
        group, absl::InvalidArgumentError(absl::StrCat(
                   "a record of ", group[0].payload.size(), " bytes is above the log's bound of ",
                   options_.record_bytes_max, "; send less at once")));
  }
  uint64_t payload_bytes = 0;
  records_.clear();
  for (const Entry& entry : group) {
    records_.push_back({entry.key_hash, entry.payload});
    payload_bytes += entry.payload.size();
  }
  Status status = make_room(writer_.frame_bytes(group.size(), payload_bytes));
  if (!status.ok()) return refuse(group, status);

  const std::string_view frame = writer_.build(records_, identity_, current_number_);
  const Clock::time_point begin = Clock::now();
  status = current_->write_durably(frame, offset_);
  if (!status.ok()) {
    fail(status);
    return tell(group, WriteOutcome::unknown);
  }
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  writer_.accept();
  offset_ += frame.size();
  count(group, frame.size(), static_cast<uint64_t>(micros.count()));
  tell(group, WriteOutcome::durable);
}

void Lane::count(std::span<const Entry> group, uint64_t frame_bytes, uint64_t micros) {
  const std::lock_guard lock(mutex_);
  durable_ = writer_.last();
  refusal_ = {};
  ++stats_.frames;
  stats_.records += group.size();
  for (const Entry& entry : group) stats_.payload_bytes += entry.payload.size();
  stats_.frame_bytes += frame_bytes;
  stats_.write_micros += micros;
  stats_.direct = current_->direct();
}

void Lane::refuse(std::span<Entry> group, const Status& why) {
  {
    const std::lock_guard lock(mutex_);
    refusal_ = why;
    stats_.refused_records += group.size();
  }
  tell(group, WriteOutcome::not_written);
}

void Lane::tell(std::span<Entry> group, WriteOutcome outcome) {
  uint64_t bytes = 0;
  for (const Entry& entry : group) bytes += weight(entry);
  queued_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  sink_.on_group(group, writer_.last(), outcome);
}

Status Lane::make_room(uint64_t bytes) {
  const bool fits = !sealed_ && offset_ + bytes <= current_bytes_;
  if (fits && !rotation_due_) return {};
  Status status = start_segment();
  if (status.ok()) {
    rotation_due_ = false;
    return {};
  }
  if (doubtful_) fail(status);
  // A rotation that was only asked for must not stand in the way of what still fits.
  return fits && !sealed_ && !failed() && bytes > 0 ? Status() : status;
}

Status Lane::start_segment() {
  Result<Spare> spare = pool_->take();
  if (!spare.ok()) return spare.status();
  sealed_ = true;
  const uint64_t number = current_number_ + 1;
  if (Status status = begin_in(*spare, number); !status.ok()) {
    if (!doubtful_) pool_->discard(*spare);
    return status;
  }
  sealed_ = false;
  {
    const std::lock_guard lock(mutex_);
    current_number_ = number;
    current_oldest_ = std::min(spare->oldest_frame, writer_.last().frame + 1);
    ++stats_.segments_started;
    stats_.direct = current_->direct();
  }
  note_head();
  return {};
}

Status Lane::begin_in(const Spare& spare, uint64_t number) {
  const Mark last = writer_.last();
  Result<SegmentFile> file = SegmentFile::open(disk_, spare.path, options_.direct);
  if (!file.ok()) return file.status();
  char* const block = header_block_.reserve(k_block_bytes);
  SegmentHeader header{options_.store_id, options_.lane};
  header.segment = number;
  header.segment_bytes = options_.segment_bytes;
  header.first_frame = last.frame + 1;
  header.chain = last.chain;
  header.oldest_frame = std::min(spare.oldest_frame, header.first_frame);
  encode_segment_header(header, block);
  if (Status status = file->write_durably({block, k_block_bytes}, 0); !status.ok()) return status;

  std::string path = segment_path(options_.directory, number);
  if (disk_.rename(spare.path, path) != 0) return disk_error(errno, "rename", spare.path);
  if (disk_.sync_directory(options_.directory) != 0) {
    // Why the end of the lane: whether the new name lasts is not known, and a sync is never tried
    // again.
    doubtful_ = true;
    return disk_error(errno, "fsync", options_.directory);
  }
  if (current_) {
    pool_->add_closed({current_->path(), current_bytes_, last.frame, current_oldest_});
  }
  file->renamed(std::move(path));
  current_ = *std::move(file);
  current_bytes_ = options_.segment_bytes;
  offset_ = k_block_bytes;
  return {};
}

void Lane::fail(const Status& why) {
  {
    const std::lock_guard lock(mutex_);
    failure_ = why;
  }
  failed_.store(true, std::memory_order_release);
  sink_.on_failed(why);
}

}  // namespace parley::log
