#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/burst.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/log/disk.hpp"
#include "storage/log/frame.hpp"
#include "storage/log/head.hpp"
#include "storage/log/mark.hpp"
#include "storage/log/segment.hpp"
#include "storage/log/segment_pool.hpp"

namespace parley::log {

/// One record on its way into the log.
struct Entry {
  uint64_t key_hash = 0;        ///< whose it is: named by replay where the payload is damaged
  std::string payload;          ///< empty: the sink makes it, on the commit thread
  std::shared_ptr<void> owner;  ///< the submitter's own, the lane only carries it
  uint64_t owner_bytes = 0;     ///< of memory that the owner holds
};

enum class WriteOutcome : uint8_t {
  durable,      ///< survives a power cut
  not_written,  ///< nothing of it is on the disk
  unknown,      ///< a replay may find it or not; the lane has failed
};

/// Told what became of the entries. Outlives the lane.
class GroupSink {
 public:
  virtual ~GroupSink() = default;
  /// Makes the payload of an entry that was submitted without one. On the commit thread.
  virtual void encode(Entry& entry) { (void)entry; }
  /// Each submitted entry comes by exactly once, in the order of submission. On the commit thread,
  /// which writes nothing meanwhile: do not block. Entries may be moved from. `mark` is the group's
  /// frame and the chain after it if durable; the last durable one otherwise.
  virtual void on_group(std::span<Entry> group, Mark mark, WriteOutcome outcome) = 0;
  /// Once, on the commit thread, before the group it happened to is told: the lane writes nothing
  /// any more and the process should end. A restart finds out what is there.
  virtual void on_failed(const Status& why) = 0;
};

struct LaneOptions {
  std::string directory;  ///< created if missing; its parent exists
  Id128 store_id;
  uint32_t lane = 0;
  uint64_t segment_bytes = 64ULL << 20;     ///< a multiple of 4096, at least 128 KiB
  uint64_t group_bytes_max = 4ULL << 20;    ///< of one frame, unless a single record is larger
  uint64_t record_bytes_max = 16ULL << 20;  ///< at most half a segment
  bool direct = true;                       ///< try O_DIRECT | O_DSYNC first
  Disk* disk = nullptr;                     ///< null: Disk::real()
};

struct LaneStats {
  uint64_t frames = 0;
  uint64_t records = 0;
  uint64_t payload_bytes = 0;
  uint64_t frame_bytes = 0;
  uint64_t refused_records = 0;  ///< not_written
  uint64_t write_micros = 0;     ///< sum over frames: write and sync
  uint64_t segments_started = 0;
  uint64_t head_errors =
      0;  ///< HEAD could not be written, which costs only some precision of replay
  uint64_t spare_segments = 0;   ///< now
  uint64_t closed_segments = 0;  ///< now: not released yet
  bool direct = false;           ///< now: O_DIRECT | O_DSYNC in use
};

/// One append-only log with group commit: a directory of segments and the thread that writes them.
///
/// Owned by a journal, which replays the directory before it opens the lane. Any thread may call;
/// the commit thread calls the sink. Invariants: one write under way at a time, each a whole frame
/// on blocks that hold nothing acknowledged; an entry is told durable only after the sync of its
/// frame; after an error of a write or a sync nothing is written any more; no number of a frame is
/// given twice to different acknowledged content. Not its job: what records mean, bounding what is
/// queued, ending the process.
class Lane final : private Sleeper {
 public:
  /// Continues after `last`, which is ReplayReport::last of a replay just before, or Mark{} for a
  /// new store. INVALID_ARGUMENT for options out of bounds; FAILED_PRECONDITION where the directory
  /// is in use, belongs to another store or lane, or holds whole frames after `last`.
  static Result<std::unique_ptr<Lane>> open(LaneOptions options, Mark last, GroupSink& sink);
  ~Lane() override;

  /// Never waits for the disk. A payload above record_bytes_max comes back as not_written. After
  /// stop() the sink is told not_written on the calling thread. Within a Burst the commit thread is
  /// woken at its end, so that what comes together is written together.
  void submit(Entry entry);
  /// Writes what was submitted, then ends both threads. Not from within the sink.
  void stop();

  /// Of memory, submitted and not yet told: for the owner to refuse more in time.
  [[nodiscard]] uint64_t queued_bytes() const {
    return queued_bytes_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] Mark durable() const;
  [[nodiscard]] bool failed() const { return failed_.load(std::memory_order_acquire); }
  [[nodiscard]] Status failure() const;  ///< OK unless failed
  /// Why the latest group came back as not_written; OK after one that was durable.
  [[nodiscard]] Status refusal() const;
  [[nodiscard]] LaneStats stats() const;

  /// Everything up to and including this frame is no longer needed by any replay: segments wholly
  /// below are recycled or deleted, some time later, on a thread of the lane's. Never the current
  /// one.
  void release(uint64_t frame);
  /// Asks for a new segment with the next frame, or when idle. Tried again with later groups if it
  /// fails.
  void rotate();
  /// The bytes of all frames up to this one shall leave the lane's files: rotates if need be, and
  /// overwrites segments with zeros once they are released, and before they are used again.
  void wipe(uint64_t frame);
  /// No file of the lane holds bytes of this frame or an earlier one. At most what wipe() asked
  /// for; after a start it has to be asked again.
  [[nodiscard]] uint64_t wiped_through() const;
  /// Writes HEAD now (a write without a sync): replay then knows that the log reaches durable().
  /// The lane does so by itself with every new segment and at stop(). Any thread, also within the
  /// sink.
  void note_head();

 private:
  Lane(LaneOptions options, GroupSink& sink, HeadFile head);

  void wake() override;

  // At open.
  Status resume(Mark last);
  Result<bool> resume_in(const SegmentInfo& newest, Mark last);
  Status continue_at(const SegmentInfo& newest, uint64_t offset, Mark last,
                     std::optional<std::vector<uint64_t>> keys);

  // On the commit thread.
  void run();
  bool take_submitted();
  void encode_taken();
  void write_submitted();
  [[nodiscard]] size_t end_of_group(size_t begin) const;
  void write_group(std::span<Entry> group);
  void count(std::span<const Entry> group, uint64_t frame_bytes, uint64_t micros);
  void refuse(std::span<Entry> group, const Status& why);
  void tell(std::span<Entry> group, WriteOutcome outcome);
  Status make_room(uint64_t bytes);
  Status start_segment();
  Status begin_in(const Spare& spare, uint64_t number);
  void fail(const Status& why);

  const LaneOptions options_;
  Disk& disk_;
  const StoreIdentity identity_;
  GroupSink& sink_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Entry> submitted_;  ///< by mutex_, as all up to stats_
  bool asleep_ = false;
  bool stopping_ = false;
  bool stopped_ = false;
  bool rotation_wanted_ = false;
  Mark durable_;
  uint64_t current_number_ = 0;
  uint64_t current_oldest_ = k_no_frame;  ///< the lowest frame with bytes in the current segment
  uint64_t wipe_through_ = 0;
  Status failure_;
  Status refusal_;
  LaneStats stats_;

  std::mutex head_mutex_;  ///< taken before mutex_
  HeadFile head_;          ///< by head_mutex_

  std::atomic<uint64_t> queued_bytes_{0};
  std::atomic<bool> failed_{false};

  // Of the commit thread alone, once it runs.
  std::vector<Entry> taken_;
  std::vector<FrameRecord> records_;
  FrameWriter writer_;
  AlignedBuffer header_block_;
  std::optional<SegmentFile> current_;
  uint64_t current_bytes_ = 0;
  uint64_t offset_ = 0;
  bool rotation_due_ = false;
  /// The next segment may exist already: no frame goes into this one any more.
  bool sealed_ = false;
  bool doubtful_ = false;  ///< the directory could not be synced

  std::unique_ptr<SegmentPool> pool_;
  std::mutex stop_mutex_;
  std::thread thread_;
};

}  // namespace parley::log
