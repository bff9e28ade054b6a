#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "storage/applier.hpp"
#include "storage/disk_floor.hpp"
#include "storage/log/lane.hpp"
#include "storage/rocks_store.hpp"

namespace parley {

struct UpkeepOptions {
  /// Bounds for a store of so much memory, half of which its memtables may take.
  static UpkeepOptions within(size_t memory_bytes);

  size_t flush_bytes = 16U << 20;  ///< unflushed bytes that are worth a flush
  /// Beyond it nothing is applied unless there is room for the flush. So far above flush_bytes that
  /// what the log took before the disk was full can be applied and read, and so far below the bound
  /// at which RocksDB flushes by itself that one more round fits in between, as a rule.
  size_t unflushed_max = 32U << 20;
  uint64_t closed_segments_max = 2;  ///< of the log, before a flush lets go of them
  std::chrono::seconds flush_every{300};
  std::chrono::seconds scrub_every{10};
  /// So often it is counted how long the store was in use, too.
  std::chrono::seconds purge_every{600};
  /// Without a change for so long, the store uses the quiet to merge its files.
  std::chrono::milliseconds rest_after{10'000};
};

/// What keeps the store in order behind the answers: flushes and lets go of the log, scrubs what
/// was erased out of every file, forgets what is left of deleted conversations, merges files when
/// nothing else is to be done.
///
/// Owned by a local journal; has one thread. Any thread may call.
/// Invariants: the log lets go of a frame only after the flush that covers it.
/// Not its job: writing conversations.
class Upkeep {
 public:
  Upkeep(const RocksStore& store, Applier& applier, log::Lane& lane, DiskFloor& floor,
         UpkeepOptions options);
  ~Upkeep() { stop(); }

  void start();
  /// After each round, on the applier's thread: never waits.
  void after_round(bool erased);
  /// False while the disk is so full that the store must not be made to write its files: then it
  /// keeps rows in memory, as far as they fit.
  [[nodiscard]] bool may_apply() const;
  /// Everything committed before is in the store's files when it returns OK, and the log let go of
  /// it.
  Status flush();
  /// No file of the store or the log holds erased content any more when it returns OK.
  Status scrub();
  void stop();

  [[nodiscard]] uint64_t flushes() const { return flushes_.load(std::memory_order_relaxed); }
  /// Of its own thread's: each is tried again.
  [[nodiscard]] uint64_t failed_flushes() const {
    return failed_flushes_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] uint64_t scrubs() const { return scrubs_.load(std::memory_order_relaxed); }
  /// How often nothing was left to be merged, or all of it was, when changes had ceased.
  [[nodiscard]] uint64_t rests() const { return rests_.load(std::memory_order_relaxed); }
  /// How often its thread looked for something to do.
  [[nodiscard]] uint64_t turns() const { return turns_.load(std::memory_order_relaxed); }

 private:
  struct Range {
    Family family;
    std::string begin;
    std::string end;
  };
  struct Due {
    std::vector<std::string> rows;  ///< of `meta`, to be removed once it is done
    std::vector<Range> ranges;      ///< joined where they meet, or where they are many
    std::vector<Range> dead;        ///< whole histories, exactly as they were erased
  };

  void run();
  void do_flush();
  void do_scrub();
  void do_rest();
  Status scrub_now();
  [[nodiscard]] bool worth_merging(Family family) const;
  /// The memtables fit onto the disk, with so much to spare.
  [[nodiscard]] Status check_room(uint64_t left_free) const;
  void bound_disk_use();
  Result<Due> read_due() const;
  static std::vector<Range> coalesce(std::vector<Range> ranges);
  /// The row of what is due says that it lies in one of them.
  static bool lies_in_any(std::string_view row, const std::vector<Range>& ranges);
  Status drop_whole_files(const std::vector<Range>& dead);
  Status wait_for_old_readers(uint64_t sequence);
  Status wait_for_old_files();
  Status wait_for_wiped_log(uint64_t frame);
  /// Asks again every few milliseconds; false when it never became true or this is stopping.
  bool eventually(const std::function<bool()>& done);

  const RocksStore& store_;
  Applier& applier_;
  log::Lane& lane_;
  DiskFloor& floor_;
  const UpkeepOptions options_;
  std::mutex flush_mutex_;  ///< one flush at a time
  std::mutex scrub_mutex_;  ///< one scrub at a time; taken before flush_mutex_
  std::atomic<uint64_t> flushes_{0};
  std::atomic<uint64_t> failed_flushes_{0};
  std::atomic<uint64_t> scrubs_{0};
  std::atomic<uint64_t> rests_{0};
  std::atomic<uint64_t> turns_{0};
  std::atomic<bool> rest_over_{false};  ///< there is work again: a merge under way gives way

  std::mutex mutex_;  ///< guards all below
  std::condition_variable wake_;
  bool stopping_ = false;
  bool flush_wanted_ = false;
  bool scrub_wanted_ = false;
  bool rested_ = false;  ///< since the last change
  std::chrono::steady_clock::time_point changed_at_;
  std::chrono::steady_clock::time_point flushed_at_;
  std::chrono::steady_clock::time_point flush_not_before_;
  std::chrono::steady_clock::time_point scrub_not_before_;
  std::chrono::steady_clock::time_point purge_at_;
  std::chrono::steady_clock::time_point purged_at_;
  std::thread thread_;
};

}  // namespace parley
