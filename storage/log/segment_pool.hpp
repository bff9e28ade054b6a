#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "storage/log/disk.hpp"
#include "storage/log/segment.hpp"

namespace parley::log {

/// A file that holds no bytes of any frame.
inline constexpr uint64_t k_no_frame = std::numeric_limits<uint64_t>::max();

/// A segment that is full, or was left by rotation; replay may still need it.
struct ClosedSegment {
  std::string path;
  uint64_t file_bytes = 0;
  uint64_t last_frame = 0;    ///< no higher frame is in it
  uint64_t oldest_frame = 0;  ///< the lowest of which it may hold bytes
};

/// A file of a segment's size that waits for use.
struct Spare {
  std::string path;
  uint64_t oldest_frame = k_no_frame;  ///< as above; k_no_frame: all zeros
};

/// The lane's files that are not being written: keeps a spare ready, recycles, wipes, deletes.
///
/// Owned by the lane. Any thread calls; the work is done by the pool's own thread.
/// Invariants: at most two spares are kept; what `wipe` covers is never handed out again before it
/// was overwritten; a closed segment above the released frame is never touched.
/// Not its job: the current segment, what is in a frame.
class SegmentPool {
 public:
  struct Options {
    std::string directory;
    uint64_t segment_bytes = 0;
  };
  SegmentPool(Options options, Disk& disk, std::vector<ClosedSegment> closed,
              std::vector<Spare> spares, uint64_t next_spare);
  ~SegmentPool();

  /// A spare, which is the caller's now. Waits only while none is ready; an error says why none can
  /// be made.
  Result<Spare> take();
  /// Deletes a spare that could not be put to use.
  void discard(const Spare& spare);
  void add_closed(ClosedSegment segment);
  void release(uint64_t frame);
  void wipe(uint64_t frame);
  void stop();

  /// The lowest frame of which any file here may hold bytes.
  [[nodiscard]] uint64_t oldest_frame() const;
  [[nodiscard]] size_t spare_count() const;
  [[nodiscard]] size_t closed_count() const;

 private:
  static constexpr size_t k_spares_max = 2;
  using Lock = std::unique_lock<std::mutex>;

  void run();
  // Each does one thing without the lock, if there is something to do, and answers whether it
  // succeeded.
  bool retire_one(Lock& lock);
  bool wipe_one(Lock& lock);
  bool remove_one(Lock& lock);
  bool make_one(Lock& lock);
  Status retire(const ClosedSegment& segment, const std::string& spare, bool reuse, bool wipe);
  Status make(uint64_t number);
  void poke(Lock& lock);
  [[nodiscard]] bool usable(const Spare& spare) const { return spare.oldest_frame > wipe_through_; }
  [[nodiscard]] size_t usable_count() const;

  const Options options_;
  Disk& disk_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;   ///< for the pool's thread
  std::condition_variable ready_;  ///< for take()
  std::deque<ClosedSegment> closed_;
  std::vector<Spare> spares_;
  uint64_t working_on_ = k_no_frame;  ///< oldest frame of the file that the thread has in hand
  uint64_t next_spare_;
  uint64_t released_ = 0;
  uint64_t wipe_through_ = 0;
  uint64_t requests_ = 0;  ///< calls of take() that found nothing
  uint64_t tried_ = 0;     ///< up to which request making one was tried
  Status error_;           ///< of the latest attempt
  bool poked_ = false;     ///< something changed since the thread found nothing to do
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace parley::log
